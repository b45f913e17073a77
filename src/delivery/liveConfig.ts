import type { DrainContext } from './drainContext.ts';
import type { Ending } from './ending.ts';
import type { FilterStack } from './filterStack.ts';
import type { SenderConfig } from './senderConfig.ts';
import { startFaultOf } from './startFault.ts';

/** The parts of a drain that its configuration concerns. */
export interface LiveConfigOptions {
  context: Pick<DrainContext, 'loadConfig' | 'progress' | 'log'>;
  config: SenderConfig;
  epoch: number;
  filters: Pick<FilterStack, 'add' | 'filterFrom'>;
  /** The highest position that was read; an edit of the filter that takes effect now applies above it. */
  readTo: () => number;
  /** Does what takes long of `apply`, before it. */
  prepare: (next: SenderConfig, before: SenderConfig) => Promise<void>;
  /** Puts a newer configuration into force, with which sending continues. */
  apply: (next: SenderConfig, before: SenderConfig) => void;
  /** It begins when the consumer is no longer active, a command waits, or a change can't be put into force. */
  ending: Pick<Ending, 'begin' | 'concluding'>;
  /** Called when a configuration is in force. */
  inForce: () => void;
}

/** Puts changes of a consumer's configuration into force while the drain runs, and confirms them. */
export interface LiveConfig {
  /** Notes the versions that the last commit saw, and loads newer ones. */
  saw(latest: { version: number; targetVersion: number }): void;
  /** Confirms the configuration with which the drain began, unless the last sender has done so. */
  begin(isConfirmed: boolean): void;
  readonly config: SenderConfig;
}

/** Creates the configuration of one drain; nothing is confirmed before `begin`. */
export function createLiveConfig(options: LiveConfigOptions): LiveConfig {
  const { context, epoch, filters, ending } = options;
  let { config } = options;
  let latest = { version: config.version, targetVersion: config.target.version };
  let taken = config.target; // as `config.target`, but also of a change that ends the drain
  let confirmedVersion = -1;
  let busy = false;

  /** Loads the newest configuration, and repeats that while a newer one has been seen meanwhile. */
  async function refresh(load: boolean): Promise<void> {
    if (busy || ending.concluding) return;
    busy = true;
    try {
      if (load) await adopt(await context.loadConfig(config.consumerId));
      await confirm();
      while (isStale() && !ending.concluding) {
        await adopt(await context.loadConfig(config.consumerId));
        await confirm();
      }
    } catch (error) {
      if (startFaultOf(error) === null) {
        const fields = { err: error, consumer_id: config.consumerId };
        context.log.warn(fields, 'a change of the configuration could not be taken; trying again');
      } else ending.begin('changed'); // a drain that starts with that configuration reports what is wrong
    } finally {
      busy = false;
    }
    options.inForce();
  }

  async function adopt(next: SenderConfig | null): Promise<void> {
    if (next !== null && !next.deleted && !next.held && next.status === 'active') {
      const before = config;
      if (next.filterVersion !== before.filterVersion) await options.prepare(next, before);
      config = next;
      taken = next.target;
      options.apply(next, before);
      return;
    }
    if (next !== null) {
      filters.add(next.filters, options.readTo());
      config = { ...config, version: next.version, filterVersion: next.filterVersion };
      taken = next.target; // nothing is sent to it any more
    }
    ending.begin('changed');
  }

  function isStale(): boolean {
    return latest.version > confirmedVersion || latest.targetVersion !== taken.version;
  }

  async function confirm(): Promise<void> {
    const { consumerId, version, filterVersion } = config;
    const { filterFrom } = filters;
    const target = { id: taken.id, version: taken.version };
    await context.progress.confirm({
      consumerId,
      epoch,
      version,
      filterVersion,
      filterFrom,
      target,
    });
    confirmedVersion = version;
  }

  return {
    saw: (seen) => {
      latest = seen;
      if (isStale()) void refresh(true);
    },
    begin: (isConfirmed) => {
      if (isConfirmed) confirmedVersion = config.version;
      else void refresh(false);
    },
    get config() {
      return config;
    },
  };
}
