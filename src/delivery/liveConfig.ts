import type { DrainContext } from './drainContext.ts';
import type { FilterStack } from './filterStack.ts';
import type { SenderConfig } from './senderConfig.ts';

export interface LiveConfigOptions {
  context: Pick<DrainContext, 'loadConfig' | 'progress' | 'log'>;
  config: SenderConfig;
  epoch: number;
  filters: Pick<FilterStack, 'add' | 'filterFrom'>;
  /** The highest position read; what an edit that is taken now applies above. */
  readTo: () => number;
  /** A newer configuration under which sending goes on. */
  apply: (next: SenderConfig, before: SenderConfig) => void;
  /** It is not active any more, or a command waits: sending has to end. */
  stop: () => void;
  /** A configuration is in force. */
  inForce: () => void;
  over: () => boolean;
}

/** Takes changes of a consumer's configuration while it is being sent, and confirms them. */
export interface LiveConfig {
  /** What the last commit saw in the rows. */
  saw(latest: { version: number; targetVersion: number }): void;
  /** Confirms the configuration that sending began with. */
  begin(): void;
  readonly config: SenderConfig;
}

export function createLiveConfig(options: LiveConfigOptions): LiveConfig {
  const { context, epoch, filters } = options;
  let { config } = options;
  let latest = { version: config.version, targetVersion: config.target.version };
  let confirmedVersion = -1;
  let busy = false;

  /** Takes the newest configuration, and again as long as a newer one was seen meanwhile. */
  async function refresh(load: boolean): Promise<void> {
    if (busy || options.over()) return;
    busy = true;
    try {
      if (load) adopt(await context.loadConfig(config.consumerId));
      await confirm();
      while (isStale() && !options.over()) {
        adopt(await context.loadConfig(config.consumerId));
        await confirm();
      }
    } catch (error) {
      const fields = { err: error, consumer_id: config.consumerId };
      context.log.warn(fields, 'a change could not be taken; trying again');
    } finally {
      busy = false;
    }
    options.inForce();
  }

  function adopt(next: SenderConfig | null): void {
    if (next !== null && !next.deleted && !next.held && next.status === 'active') {
      const before = config;
      config = next;
      options.apply(next, before);
      return;
    }
    if (next !== null) {
      filters.add(next.filters, options.readTo());
      config = { ...config, version: next.version, filterVersion: next.filterVersion };
    }
    options.stop();
  }

  function isStale(): boolean {
    return latest.version > confirmedVersion || latest.targetVersion !== config.target.version;
  }

  async function confirm(): Promise<void> {
    const { consumerId, version, filterVersion } = config;
    const { filterFrom } = filters;
    await context.progress.confirm({ consumerId, epoch, version, filterVersion, filterFrom });
    confirmedVersion = version;
  }

  return {
    saw: (seen) => {
      latest = seen;
      if (isStale()) void refresh(true);
    },
    begin: () => void refresh(false),
    get config() {
      return config;
    },
  };
}
