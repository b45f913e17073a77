import type { FailureHandler } from '../failure/failureHandler.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { ParkedRetries } from '../failure/parkedRetries.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { Entry } from '../streams/entry.ts';
import type { Tail } from '../streams/tail.ts';
import type { Ending } from './ending.ts';
import type { HandOver } from './handOver.ts';
import { idlenessOf } from './idleness.ts';
import type { Intake } from './intake.ts';
import type { Landing } from './landing.ts';
import type { OpenSenders } from './openSenders.ts';
import type { Outage } from './outage.ts';
import type { Reader } from './reader.ts';

/** The parts of a drain that need regular attention. */
export interface TickingOptions {
  senders: Pick<OpenSenders, 'sweep' | 'cut'>;
  dispatcher: Dispatcher<Outgoing>;
  ending: Pick<Ending, 'reason' | 'begin'>;
  failures: Pick<FailureHandler, 'tick'>;
  outage: Pick<Outage, 'exists' | 'seeksOther' | 'tick' | 'restsUntil'>;
  /** Whether everything in the stream has been read. */
  isCaughtUp: () => boolean;
  retries: Pick<ParkedRetries, 'tick' | 'resting'>;
  slidingWindow: SlidingWindow<Entry>;
  tail: Pick<Tail, 'end'>;
  reader: Pick<Reader, 'fill'>;
  landing: Pick<Landing, 'judge'>;
  intake: Pick<Intake, 'lastMatchAt'>;
  handOver: Pick<HandOver, 'position' | 'at'>;
  parked: Pick<ParkedEntries, 'nextDue'>;
  /** The consumer's own clock, ms. */
  clock: () => number;
  /** The time until which a request may start, monotonic ms. */
  startBy: () => number;
  /** When the drain ends so that new code and a new run of the workflow get their turn, monotonic ms. */
  yieldsAt: number;
  idleAfterMs: number;
  /** Called when there is something to store. */
  mark: () => void;
  /** Called when the drain no longer rests. */
  stirred?: (() => void) | undefined;
}

/** Does what a drain has to do every few tens of ms: deadlines, retries that are due, and becoming idle. */
export interface Ticking {
  /** Does what is due at `now`, monotonic ms. */
  tick(now: number): void;
  /** Since when there has been nothing to do (monotonic ms); null while there is something. */
  readonly quietSince: number | null;
  /**
   * Until when there is nothing to do (monotonic ms), unless `stir` is called; -Infinity: there is something to
   * do.
   */
  readonly restsUntil: number;
  /** Notes that there is something to do. */
  stir(): void;
}

/** How often a quiet drain checks whether the tail has passed entries for which it does not call, ms. */
const REST_MS = 1_000;

/** Creates the ticking of one drain. */
export function createTicking(options: TickingOptions): Ticking {
  const { senders, dispatcher, ending, slidingWindow, tail } = options;
  let quietSince: number | null = null;
  let restsUntil = -Infinity;

  function tick(now: number): void {
    if (now < restsUntil) return;
    senders.sweep(now);
    if (dispatcher.inFlight > 0 && now > options.startBy()) senders.cut();
    if (ending.reason !== null) return;
    if (now > options.yieldsAt) {
      ending.begin('yielded');
      return;
    }
    if (options.outage.exists) {
      sitOut(options.outage, now);
      return;
    }
    options.failures.tick(now);
    options.retries.tick();
    // The tail does not call for entries that cannot match, so its end is compared here.
    const behind = tail.end === null || slidingWindow.readTo < tail.end;
    if (behind || slidingWindow.open > 0 || !dispatcher.empty) options.reader.fill();
    options.landing.judge();
    fallIdle(now);
  }

  /** Ticks an outage; the head may still have to be read, or another entry that is looked for. */
  function sitOut(outage: TickingOptions['outage'], now: number): void {
    const seeks = outage.seeksOther && !options.isCaughtUp();
    if (seeks || dispatcher.empty) options.reader.fill();
    outage.tick(now);
    quietSince = null;
    restsUntil = seeks ? -Infinity : Math.min(outage.restsUntil, options.yieldsAt);
  }

  /** Stores a position that moved without deliveries, and ends the drain once it has been quiet long enough. */
  function fallIdle(now: number): void {
    const { lastMatchAt } = options.intake;
    const idleness = idlenessOf({
      now,
      lastMatchAt,
      readTo: slidingWindow.readTo,
      tailEnd: tail.end,
      open: slidingWindow.open,
      inFlight: dispatcher.inFlight,
      nextParkedMs: options.parked.nextDue - options.clock(),
      committedPosition: options.handOver.position,
      lastCommitAt: options.handOver.at,
      idleAfterMs: options.idleAfterMs,
    });
    quietSince = idleness.quietSince;
    const rests = quietSince !== null && options.retries.resting;
    restsUntil = rests
      ? Math.min(now + REST_MS, options.yieldsAt, lastMatchAt + options.idleAfterMs)
      : -Infinity;
    if (idleness.store) options.mark();
    if (idleness.idle) ending.begin('idle');
  }

  return {
    tick,
    get quietSince() {
      return quietSince;
    },
    get restsUntil() {
      return restsUntil;
    },
    stir: () => {
      restsUntil = -Infinity;
      options.stirred?.();
    },
  };
}
