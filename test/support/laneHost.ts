import pino from 'pino';
import { vi } from 'vitest';

import { CHANNELS } from '../../src/db/channels.ts';
import type { Lane } from '../../src/visits/lane.ts';
import type { VisitCounts } from '../../src/visits/visitCounts.ts';
import type { ActivityHostOptions } from './activityHost.ts';
import { openProcess, type Process } from './process.ts';
import * as temporal from './temporal.ts';
import type { Wire } from './wire.ts';

/** A lease of a lane outlives its process by 10 s, and 3 s later others claim what it had. */
const LOST_MS = 13_000;
/** When Temporal opens the lane of a dead process again: after the heartbeat timeout. */
const REOPENED_MS = 15_000;
/** A lane that has nothing to do is closed after this time, so that a long wait is not one of many ticks. */
const KEPT_MS = 2_000;
/** When the leader signals again. */
const REPEATED_MS = 5_000;

export interface LaneHostOptions extends Omit<ActivityHostOptions, 'watcher'> {
  consumerId: string;
  /** That of the consumer, and of no other one. */
  region: string;
  wire: Wire;
  counts: VisitCounts;
}

/** The lane of visits of one life, with what the leader and Temporal do for it. One process has it at a time. */
export interface LaneHost {
  /** The process that has the lane, if any. */
  readonly process: Process | null;
  /** Has the leader look, as NOTIFY does. */
  ask(): void;
  /** Does what is due while nothing else goes on; resolves with whether that was anything. */
  look(): Promise<boolean>;
  /** Ends the process gracefully. */
  shutDown(): void;
  /** The process does nothing more. */
  end(): void;
}

interface Open {
  process: Process;
  lane: Lane;
  /** Ends what the lane does again and again. */
  halt(): void;
}

/** Opens the lane. */
export function createLaneHost(options: LaneHostOptions): LaneHost {
  const { busy, hints, region, counts, fault } = options;
  const leader = createLeader(options);
  const log = pino({ level: 'error' }, { write: (line) => fault(new Error(line)) });
  let current: Open | null = null;
  let ended = false;
  let asked = true;
  let opensFrom = 0;
  let restsSince: number | null = null;
  open();

  function ask(): void {
    asked = true;
  }

  function open(): void {
    const process = openProcess({
      ...options,
      log,
      listener: { on: hints.listen },
      reportHead: () => Promise.resolve(),
      visits: {
        region,
        handOver: (_id, wanted) => void temporal.tell('wake', wanted),
        counts,
      },
    });
    const one = { process, ...withIntervals(() => process.deps.openLane(0)) };
    current = one;
    void process.died.then(() => lose(one)).catch(fault);
  }

  function lose(one: Open): void {
    one.halt();
    setTimeout(() => void leader.endLease(one.process.deps.holder).catch(fault), LOST_MS);
    if (current !== one) return; // it was about to end
    current = null;
    opensFrom = Date.now() + REOPENED_MS;
    setTimeout(ask, REOPENED_MS);
  }

  function shutDown(): void {
    const one = current;
    current = null;
    if (one !== null) void close(one).catch(fault);
  }

  async function close({ process, lane, halt }: Open): Promise<void> {
    await lane.close();
    halt();
    await process.close();
  }

  async function look(): Promise<boolean> {
    if (ended || (!asked && !busy.wrote)) return false;
    asked = false;
    const { isNew, isToVisit, signalled } = await leader.look(ask);
    if (signalled) return true;
    if (!isToVisit) return rest();
    restsSince = null;
    if (current === null && Date.now() >= opensFrom) open();
    else if (isNew) hints.hint(CHANNELS.visits);
    else return false;
    return true;
  }

  /** Closes the lane when it has had nothing to do for a while; whether it does so now. */
  function rest(): boolean {
    if (current === null) return false;
    if (restsSince === null) {
      restsSince = Date.now();
      setTimeout(ask, KEPT_MS);
      return false;
    }
    if (Date.now() < restsSince + KEPT_MS) return false;
    restsSince = null;
    shutDown();
    return true;
  }

  return {
    get process() {
      return current?.process ?? null;
    },
    ask,
    look,
    shutDown,
    end: () => {
      ended = true;
      current?.process.gate.kill();
      current?.halt();
    },
  };
}

/** What the leader has found. */
interface Found {
  /** The consumer has begun to want an entry. */
  isNew: boolean;
  /** It is visited, or wants to be. */
  isToVisit: boolean;
  /** Its workflow has been signalled that it needs a drain. */
  signalled: boolean;
}

/** What the leader does for one consumer: without matching, as any entry may be one that it wants. */
function createLeader({ db, consumerId }: Pick<LaneHostOptions, 'db' | 'consumerId'>) {
  let repeats: 'not' | 'later' | 'now' = 'not';

  async function want(): Promise<boolean> {
    const { rowCount } = await db.query({
      text: `
        update cursors c set wanted = c.position + 1, wanted_at = clock_timestamp()
          from consumers k join streams s on s.name = k.stream
         where c.consumer_id = $1 and k.id = $1 and k.status = 'active' and k.deleted_at is null
           and c.idle and c.wanted is null and c.position < s.last_position`,
      values: [consumerId],
    });
    return rowCount === 1;
  }

  /** `again` is called when it is to look again. */
  async function look(again: () => void): Promise<Found> {
    const isNew = await want();
    const { rows } = await db.query<{ wanted: number | null; drain: boolean; visit: boolean }>({
      text: `
        select c.wanted, c.wanted is not null and c.idle and c.needs_drain as drain,
               c.visited or (c.wanted is not null and c.idle and not c.needs_drain and not k.held) as visit
          from cursors c join consumers k on k.id = c.consumer_id
         where k.id = $1 and k.status = 'active' and k.deleted_at is null`,
      values: [consumerId],
    });
    const { wanted = null, drain = false, visit = false } = rows[0] ?? {};
    return { isNew, isToVisit: visit, signalled: repeat(drain ? wanted : null, again) };
  }

  /** Signals once more when the signal by which a lane has handed over did not reach its workflow. */
  function repeat(wanted: number | null, again: () => void): boolean {
    if (wanted === null) return false;
    if (repeats === 'now') {
      repeats = 'not';
      void temporal.tell('wake', wanted);
      return true;
    }
    if (repeats === 'later') return false;
    repeats = 'later';
    setTimeout(() => {
      repeats = 'now';
      again();
    }, REPEATED_MS);
    return false;
  }

  /** Ends the lease of a lane whose process is dead. Leases are on Postgres's clock, which does not follow ours. */
  async function endLease(holder: string): Promise<void> {
    await db.query({
      text: `
        update visit_lanes set lease_until = clock_timestamp() - interval '4 seconds'
         where starts_with(id, $1 || '/')`,
      values: [holder],
    });
  }

  return { look, endLease };
}

/** Opens a lane; `halt` ends its intervals, as the death of its process does. */
function withIntervals(open: () => Lane): Pick<Open, 'lane' | 'halt'> {
  const set = vi.spyOn(globalThis, 'setInterval');
  try {
    const lane = open();
    const intervals = set.mock.results.map(({ value }) => value as NodeJS.Timeout);
    return {
      lane,
      halt: () => {
        for (const one of intervals) clearInterval(one);
      },
    };
  } finally {
    set.mockRestore();
  }
}
