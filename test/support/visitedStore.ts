import type { SenderConfig } from '../../src/delivery/senderConfig.ts';
import type { Confirmation } from '../../src/progress/filterRows.ts';
import type { Lease, StoredHead, Release } from '../../src/progress/lease.ts';
import type { Progress } from '../../src/progress/progress.ts';
import type { AttemptRow, Committed, SenderOutcomes } from '../../src/progress/senderOutcomes.ts';
import type { Filter } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { ToVisit, VisitStore } from '../../src/visits/visitStore.ts';

export const CONSUMER = 'consumer';

/** What is stored of the one consumer. */
export interface StoredVisit {
  epoch: number;
  /** Whether a sender has the lease. */
  held: boolean;
  position: number;
  ahead: number[];
  /** The failing entry. */
  head: StoredHead | null;
  /** How the last sender released it; null: it has not. */
  released: Release | null;
  /** Positions of the successes of first attempts, in the order in which they were stored. */
  successes: number[];
  /** The attempts that are stored as rows. */
  attempts: AttemptRow[];
  config: SenderConfig;
  confirmed: ToVisit['confirmed'];
}

/** The store of one consumer, in memory: what is asked of it waits while `hold` is in force. */
export interface VisitedStore extends VisitedCommands {
  row: StoredVisit;
  progress: Pick<Progress, 'commit' | 'release' | 'confirm'>;
  visits: VisitStore;
  /** What is asked for from now on waits for `letThrough`. */
  hold(): void;
  letThrough(): void;
  /** How many commits and releases wait. */
  readonly waiting: number;
  /** Confirmations fail from now on, or no longer. */
  refuseConfirmations(refuses: boolean): void;
  /** Commits fail from now on, or no longer, for a reason that does not pass. */
  refuseCommits(refuses: boolean): void;
  /** The next release finds Postgres away. */
  loseRelease(): void;
  /** Takes the cursor for its next sender. */
  claim(): ToVisit;
}

/** What commands do to the row. */
export interface VisitedCommands {
  /** Adds a version of the filter. */
  refilter(filter: Filter): void;
  /** Adds a version of the target. */
  retarget(): void;
  /** A command waits for the sender to let go, or no longer. */
  holdSender(isHeld: boolean): void;
  /** Whether nothing may start: a sender has confirmed that for a command, or there is none because of one. */
  isHalted(): boolean;
  /** Pauses the consumer, or resumes it. */
  setStatus(status: 'paused' | 'active'): void;
  /** Makes everything up to `position` settled, and nothing above it. */
  seek(position: number): void;
  remove(): void;
}

export interface VisitedStoreOptions {
  stream: StreamName;
  ordering: SenderConfig['ordering'];
  filter: Filter;
  maxInFlight: number;
  /** Called before outcomes of the sender in force are stored. */
  storing: (outcomes: SenderOutcomes) => void;
  /** Called when the sender in force confirms. */
  confirming: (taken: Confirmation) => void;
}

export function createVisitedStore(options: VisitedStoreOptions): VisitedStore {
  const row = firstRow(options);
  const waiting: (() => void)[] = [];
  let holds = false;
  const faults = { confirmations: false, commits: false, release: false };

  /** Resolves at once, or when it is let through. */
  function turn(): Promise<void> {
    if (!holds) return Promise.resolve();
    return new Promise((resolve) => {
      waiting.push(resolve);
    });
  }

  async function commit(rows: SenderOutcomes[]): Promise<Map<string, Committed>> {
    await turn();
    if (faults.commits) throw new Error('value out of range');
    const answer = new Map<string, Committed>();
    for (const outcomes of rows) {
      if (outcomes.epoch !== row.epoch) continue;
      options.storing(outcomes);
      row.position = outcomes.position;
      row.ahead = outcomes.ahead;
      row.successes.push(...outcomes.batch.positions);
      row.attempts.push(...outcomes.attempts);
      if (outcomes.head !== undefined) row.head = outcomes.head;
      const { version, target } = row.config;
      answer.set(outcomes.consumerId, { version, targetVersion: target.version });
    }
    return answer;
  }

  async function release(released: Release[]): Promise<boolean[]> {
    await turn();
    if (faults.release) throw away(faults);
    return released.map((one) => {
      if (one.epoch !== row.epoch) return false;
      row.held = false;
      row.released = one;
      if (one.head !== 'keep') row.head = one.head;
      return true;
    });
  }

  async function confirm(taken: Confirmation[]): Promise<void> {
    await turn();
    if (faults.confirmations) throw new Error('not now');
    for (const one of taken) {
      if (one.epoch !== row.epoch) continue;
      options.confirming(one);
      const { version, target, filterVersion, filterFrom } = one;
      row.confirmed = { version, targetId: target.id, targetVersion: target.version };
      const filters = row.config.filters.map((known) =>
        known.filterFrom === null && known.version <= filterVersion
          ? { ...known, filterFrom }
          : known,
      );
      row.config = { ...row.config, filters };
    }
  }

  return {
    row,
    progress: {
      commit,
      release: async (one) => (await release([one]))[0] === true,
      confirm: (one) => confirm([one]),
    },
    visits: {
      claim: () => Promise.reject(new Error('claims are made by hand')),
      load: () => Promise.reject(new Error('claims are made by hand')),
      letGoOfUnknown: () => Promise.resolve(0),
      lease: laneLeases(turn),
      release,
      confirm,
    },
    hold: () => {
      holds = true;
    },
    letThrough: () => {
      holds = false;
      for (const resolve of waiting.splice(0)) resolve();
    },
    get waiting() {
      return waiting.length;
    },
    refuseConfirmations: (refuses) => void (faults.confirmations = refuses),
    loseRelease: () => void (faults.release = true),
    refuseCommits: (refuses) => void (faults.commits = refuses),
    claim: () => {
      if (!goesOnWithHead(row)) row.head = null; // `deliver` or a command has ended the failure
      Object.assign(row, { epoch: row.epoch + 1, held: true, released: null });
      return {
        consumerId: CONSUMER,
        lease: leaseOf(row),
        confirmed: row.confirmed,
        config: row.config,
        failedAttempts: failedAttemptsOf(row),
        waitedMs: null,
      };
    },
    ...commandsOn(row),
  };
}

function commandsOn(row: StoredVisit): VisitedCommands {
  let heldFrom = Infinity; // the version with which a command waits

  function change(set: Partial<SenderConfig>): void {
    row.config = { ...row.config, ...set, version: row.config.version + 1 };
  }

  return {
    refilter: (filter) => {
      const { filters } = row.config;
      const version = row.config.filterVersion + 1;
      const added = { version, filterFrom: null, filter };
      change({ filterVersion: version, filters: [...filters, added] });
    },
    holdSender: (isHeld) => {
      change({ held: isHeld });
      heldFrom = isHeld ? row.config.version : Infinity;
    },
    isHalted: () => {
      const { status, deleted } = row.config;
      return status !== 'active' || deleted || row.confirmed.version >= heldFrom;
    },
    setStatus: (status) => change({ status }),
    seek: (position) => {
      Object.assign(row, { epoch: row.epoch + 1, position, ahead: [], head: null });
      const newest = row.config.filters.slice(-1);
      change({ filters: newest.map((one) => ({ ...one, filterFrom: position })) });
    },
    remove: () => change({ deleted: true }),
    retarget: () => {
      const { target } = row.config;
      row.config = { ...row.config, target: { ...target, version: target.version + 1 } };
    },
  };
}

function firstRow({ stream, ordering, filter, maxInFlight }: VisitedStoreOptions): StoredVisit {
  const target = {
    id: 'target',
    version: 1,
    baseUrl: 'http://endpoint.test/hook',
    headers: {},
    hidden: [],
    oauth: null,
    ca: null,
    clientCertificate: null,
    secrets: [],
    previousUntil: null,
    timeoutMs: 15_000,
    maxInFlight,
    rateLimit: null,
  };
  return {
    epoch: 0,
    held: false,
    position: 0,
    ahead: [],
    head: null,
    released: null,
    successes: [],
    attempts: [],
    config: {
      consumerId: CONSUMER,
      stream,
      path: '',
      ordering,
      batch: null,
      body: { mode: 'full' },
      status: 'active',
      held: false,
      deleted: false,
      version: 1,
      filterVersion: 1,
      filters: [{ version: 1, filterFrom: 0, filter }],
      target,
      parkedVersion: 0,
      retried: 0,
      clock: { ms: 0, since: null },
    },
    confirmed: { version: 1, targetId: target.id, targetVersion: 1 },
  };
}

/** Whether the next sender goes on with the head that is stored: its lane has died, or has left it to the next one. */
export function goesOnWithHead({ released }: Pick<StoredVisit, 'released'>): boolean {
  return released === null || released.wants === 'visit';
}

function leaseOf({ epoch, position, ahead, head, config }: StoredVisit): Lease {
  return {
    epoch,
    waitMs: 0,
    position,
    ahead,
    head: head?.position ?? null,
    attempt: head?.attempt ?? 0,
    tries: head?.tries ?? 0,
    nextAttemptAt: head?.nextAttemptAt ?? null,
    askedUntil: head?.askedUntil ?? null,
    scheduleFrom: head?.scheduleFrom ?? null,
    scheduleAgainFrom: head?.scheduleAgainFrom ?? null,
    lastFailure: head?.failure ?? null,
    flow: null,
    ramp: false,
    sendFrom: 0,
    parked: false,
    parkedTotal: 0,
    faulted: null,
    target: { id: config.target.id, version: config.target.version },
  };
}

function failedAttemptsOf({ attempts, position }: StoredVisit): Map<number, number> {
  const failed = attempts.filter((one) => one.position > position);
  return new Map(failed.map((one) => [one.position, one.attempt]));
}

/** The leases of lanes, as Postgres has them; what is asked for waits for `turn`, apart from a lease that begins. */
function laneLeases(turn: () => Promise<void>): VisitStore['lease'] {
  const ends = new Map<string, number>();
  return {
    begin: ({ id }, leaseMs) => {
      ends.set(id, performance.now() + leaseMs);
      return Promise.resolve();
    },
    renew: async (id, leaseMs) => {
      await turn();
      const now = performance.now();
      if ((ends.get(id) ?? 0) < now) return null;
      ends.set(id, now + leaseMs);
      return { lanes: 1, visiting: 1 };
    },
    end: async (id) => {
      await turn();
      ends.delete(id);
    },
    endLapsed: () => Promise.resolve(),
  };
}

/** The error of a release that finds Postgres away; the next one does not. */
function away(faults: { release: boolean }): Error {
  faults.release = false;
  return Object.assign(new Error('the database system is shutting down'), { code: '57P03' });
}
