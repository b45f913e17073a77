import type { Logger } from 'pino';

import { isDatabaseAway } from '../db/errors.ts';
import { startDrain } from '../delivery/drain.ts';
import type { Drain, DrainContext, LaneLease } from '../delivery/drainContext.ts';
import type { DrainEnd } from '../delivery/ending.ts';
import type { SenderConfig } from '../delivery/senderConfig.ts';
import type { Floors } from '../progress/laneLeases.ts';
import { LEASE_MARGIN_MS, type Lease, type Release } from '../progress/lease.ts';
import { isOwnRetry } from '../rules/headPlan.ts';
import type { StreamName } from '../schema/stream.ts';
import { QuietSender } from './quietSender.ts';
import { whyAfter, type HandOverReason } from './visitCounts.ts';
import { createVisiting } from './visiting.ts';
import { createVisitProgress } from './visitProgress.ts';
import type { ToVisit, VisitKey, VisitStore } from './visitStore.ts';

/** The visits of a lane: each is the only sender of one claimed consumer, from its claim to its end. */
export interface Visits {
  /** Begins to send for a claimed consumer. */
  begin(one: ToVisit): void;
  /** Whether this visit has begun and has not ended. */
  has(key: VisitKey): boolean;
  /** Does what is due. */
  tick(): void;
  /** Ends visits whose consumers have been quiet for longest, up to `count`; returns how many. */
  endQuietest(count: number): number;
  /** Ends up to `count` visits whose endpoints fail; drains of their own continue. */
  endFailing(count: number): void;
  /** Ends all of them, so that other lanes may claim; resolves when everything is stored. */
  close(): Promise<void>;
  /**
   * The positions up to which everything is settled for consumers that do not fail, as far as this process has
   * read.
   */
  floors(): Floors;
  /** The number of visits. */
  readonly size: number;
}

export interface VisitsOptions {
  /** As for the process's drains, with the connections that visits share. */
  context: DrainContext;
  /** The lease under which consumers are claimed. */
  lease: LaneLease;
  store: Pick<VisitStore, 'release' | 'confirm'>;
  /** How long a consumer is visited after its last entry, ms, unless it needed the engine of a drain. */
  lingerMs: number;
  /** Hints a consumer's workflow that it needs a drain. If the hint is lost, the leader gives it again. */
  handOver: (consumerId: string, wanted: number, why: HandOverReason) => void;
  /** Called when this lane may still have a consumer that it does not visit. */
  isUnsure: () => void;
  log: Pick<Logger, 'error' | 'warn'>;
}

/** Creates a lane's visits; there are none yet. */
export function createVisits(options: VisitsOptions): Visits {
  const { store, log } = options;
  const visiting = createVisiting();
  const leavers = new Set<string>(); // the keys of visits whose consumers are busy
  const goesOn = new Set<string>(); // the keys of visits that the next lane continues
  const ends = new Set<Promise<void>>();
  const begun = new Set<string>();
  let closing = false;
  const progress = createVisitProgress(options.context.progress, store, wantsOf);
  const { lingerMs, lease: laneLease } = options;
  const context = { ...options.context, progress, laneLease, timeBudgetMs: Infinity };

  function begin(one: ToVisit): void {
    begun.add(keyOf(one));
    const ended = untilOver(one).finally(() => {
      ends.delete(ended);
      begun.delete(keyOf(one));
      visiting.remove(keyOf(one));
      leavers.delete(keyOf(one));
    });
    ends.add(ended);
  }

  /** Sends for a claimed consumer until its visit is over. If even releasing it fails, the lane releases it later. */
  async function untilOver(one: ToVisit): Promise<void> {
    try {
      await live(one);
    } catch (error) {
      const fields = { err: error, consumer_id: one.consumerId };
      if (isDatabaseAway(error)) {
        log.warn(
          fields,
          'a visit ended because Postgres is away; the lane lets go of the consumer later',
        );
        options.isUnsure();
        return;
      }
      log.error(fields, 'a visit ended with an error; the consumer goes to a drain of its own');
      await giveBack(one, 'failed').catch((again: unknown) => {
        log.warn({ ...fields, err: again }, 'a visited consumer could not be handed back');
        options.isUnsure();
      });
    }
  }

  async function live(one: ToVisit): Promise<void> {
    const { config } = one;
    const { ownRetriesMs } = context;
    const visitable = config !== null && !(config instanceof Error);
    if (closing || !visitable || !mayVisit(one, config, ownRetriesMs)) {
      await giveBack(one, whyNotVisited(one));
      return;
    }
    const key = keyOf(one);
    const drain = startVisit({
      one,
      config,
      context,
      lingerMs,
      stirred: () => visiting.stir(key),
    });
    visiting.add(key, drain, config.stream);
    after(one, await drain.ended);
  }

  /** Gives the hint that follows the end of a visit; what is stored is the truth. */
  function after(one: ToVisit, { reason, position, parkedDueAt }: DrainEnd): void {
    const isOver = reason === 'fenced' || (reason === 'idle' && parkedDueAt === null);
    if (isOver || goesOn.has(keyOf(one))) return;
    if (reason === 'yielded' && !leavers.has(keyOf(one))) return;
    options.handOver(one.consumerId, position + 1, whyAfter(reason));
  }

  /** Ends the claim of a consumer that no sender has taken, and hands the consumer over unless the lane closes. */
  async function giveBack({ consumerId, lease }: ToVisit, why: HandOverReason): Promise<void> {
    const { epoch, position } = lease;
    const wants = closing ? 'visit' : 'drain';
    const unsent = { consumerId, epoch, idle: false, head: 'keep', wants } as const;
    if (!(await progress.release(unsent)) || closing) return;
    options.handOver(consumerId, position + 1, why);
  }

  /** Who is to send next for a consumer. */
  function wantsOf(released: Release): Pick<Release, 'wants'> {
    const { idle, head, parked = false, wants } = released;
    if (wants !== undefined || (idle && !parked)) return {};
    const key = textOf(released);
    const stays = closing && (head === null || head === 'keep') && !leavers.has(key) && !parked;
    if (stays) goesOn.add(key);
    return { wants: stays ? 'visit' : 'drain' };
  }

  function tick(): void {
    const now = performance.now();
    const isOver = now > laneLease.until - LEASE_MARGIN_MS; // each has to cut its requests
    for (const key of visiting.tick(now, isOver)) {
      leavers.add(key);
      visiting.yieldOne(key);
    }
  }

  function floors(): Floors {
    const { tails } = context;
    const floorOf = (stream: StreamName): number | null => {
      const { told } = tails[stream];
      return told === null ? null : Math.min(told, visiting.settledTo(stream));
    };
    return { records: floorOf('records'), events: floorOf('events') };
  }

  return {
    begin,
    has: (key) => begun.has(textOf(key)),
    tick,
    floors,
    endQuietest: visiting.endQuietest,
    endFailing: visiting.endFailing,
    close: async () => {
      closing = true;
      visiting.yieldAll();
      await Promise.all(ends);
    },
    get size() {
      return visiting.size;
    },
  };
}

function keyOf({ consumerId, lease: { epoch } }: ToVisit): string {
  return textOf({ consumerId, epoch });
}

function textOf({ consumerId, epoch }: VisitKey): string {
  return `${consumerId}/${epoch}`;
}

function startVisit(options: {
  one: ToVisit;
  config: SenderConfig;
  context: DrainContext & { laneLease: LaneLease };
  lingerMs: number;
  stirred: () => void;
}): Drain {
  const { one, config, context } = options;
  const { lease, failedAttempts } = one;
  const common = { ...options, lease, isConfirmed: isConfirmed(one, config) };
  if (beginsQuietly(one, config)) return new QuietSender(common);
  return startDrain({
    ...common,
    leaseUntil: context.laneLease.until,
    failedAttempts,
    parkedRows: [],
    nowMs: context.now,
    isFresh: true,
  });
}

/** Whether a quiet sender can begin: nothing is left of earlier failures or limits, and each entry goes by itself. */
function beginsQuietly(
  { lease, failedAttempts }: ToVisit,
  { target, batch }: SenderConfig,
): boolean {
  const { ahead, head, ramp } = lease;
  const isClean = head === null && ahead.length === 0 && !ramp && failedAttempts.size === 0;
  return isClean && target.rateLimit === null && batch === null;
}

/**
 * Whether a lane may send for the consumer: it has no parked entries, no command waits, and its own sender is
 * to make the next attempt at anything that fails.
 */
function mayVisit(one: ToVisit, config: SenderConfig, ownMs: number): boolean {
  const { lease } = one;
  const { deleted, held, status, parkedVersion, version } = config;
  const isLeft = lease.head !== null && (!isOwnRetry(lease, ownMs) || isGone(lease));
  // A command that came between the claim and the reading of the configuration may have parked an entry.
  const mayHaveParked = lease.parked || (parkedVersion > 0 && one.confirmed.version < version);
  const fails = isLeft || mayHaveParked || lease.faulted !== null;
  return !fails && !deleted && !held && status === 'active';
}

function isGone({ lastFailure }: Lease): boolean {
  return lastFailure?.code === 'GONE';
}

/** Why a claimed consumer can't be visited. */
function whyNotVisited({ config, lease }: ToVisit): HandOverReason {
  if (config === null || config instanceof Error || lease.faulted !== null) return 'unstartable';
  if (lease.head !== null) return 'blocked';
  return lease.parked ? 'parked' : 'changed';
}

/** Whether the last sender has confirmed the configuration with which this one begins. */
function isConfirmed({ confirmed }: ToVisit, { version, target, filters }: SenderConfig): boolean {
  return (
    confirmed.version === version &&
    confirmed.targetId === target.id &&
    confirmed.targetVersion === target.version &&
    filters.every(({ filterFrom }) => filterFrom !== null)
  );
}
