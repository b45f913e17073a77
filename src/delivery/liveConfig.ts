import type { DrainContext } from './drainContext.ts';
import type { FilterStack } from './filterStack.ts';
import type { Run } from './senderConfig.ts';

export interface TakingOptions {
  shared: Pick<DrainContext, 'loadRun' | 'progress' | 'log'>;
  run: Run;
  epoch: number;
  filters: Pick<FilterStack, 'take' | 'filterFrom'>;
  /** The highest position read; what an edit that is taken now applies above. */
  readTo: () => number;
  /** A newer configuration under which sending goes on. */
  apply: (next: Run, before: Run) => void;
  /** It is not active any more, or a command waits: sending has to end. */
  stop: () => void;
  /** A configuration is in force. */
  taken: () => void;
  over: () => boolean;
}

/** Takes changes of a consumer's configuration while it is being sent, and confirms them. */
export interface Taking {
  /** What the last commit saw in the rows. */
  saw(latest: { version: number; targetVersion: number }): void;
  /** Confirms the configuration that sending began with. */
  begin(): void;
  readonly run: Run;
}

export function createTaking(options: TakingOptions): Taking {
  const { shared, epoch, filters } = options;
  let { run } = options;
  let latest = { version: run.version, targetVersion: run.target.version };
  let confirmedVersion = -1;
  let busy = false;

  /** Takes the newest configuration, and again as long as a newer one was seen meanwhile. */
  async function refresh(load: boolean): Promise<void> {
    if (busy || options.over()) return;
    busy = true;
    try {
      for (let first = !load; ; first = false) {
        if (!first) take(await shared.loadRun(run.consumerId));
        await confirm();
        if (!isStale() || options.over()) break;
      }
    } catch (error) {
      const fields = { err: error, consumer_id: run.consumerId };
      shared.log.warn(fields, 'a change could not be taken; trying again');
    } finally {
      busy = false;
    }
    options.taken();
  }

  function take(next: Run | null): void {
    if (next !== null && !next.deleted && !next.held && next.status === 'active') {
      const before = run;
      run = next;
      options.apply(next, before);
      return;
    }
    if (next !== null) {
      filters.take(next.filters, options.readTo());
      run = { ...run, version: next.version, filterVersion: next.filterVersion };
    }
    options.stop();
  }

  function isStale(): boolean {
    return latest.version > confirmedVersion || latest.targetVersion !== run.target.version;
  }

  async function confirm(): Promise<void> {
    const { consumerId, version, filterVersion } = run;
    const { filterFrom } = filters;
    await shared.progress.confirm({ consumerId, epoch, version, filterVersion, filterFrom });
    confirmedVersion = version;
  }

  return {
    saw: (seen) => {
      latest = seen;
      if (isStale()) void refresh(true);
    },
    begin: () => void refresh(false),
    get run() {
      return run;
    },
  };
}
