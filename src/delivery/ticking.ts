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
import type { Reader } from './reader.ts';

export interface TickingOptions {
  senders: Pick<OpenSenders, 'sweep' | 'cut'>;
  dispatcher: Dispatcher<Outgoing>;
  ending: Pick<Ending, 'reason' | 'begin'>;
  failures: Pick<FailureHandler, 'tick'>;
  retries: Pick<ParkedRetries, 'tick'>;
  slidingWindow: SlidingWindow<Entry>;
  tail: Pick<Tail, 'end'>;
  reader: Pick<Reader, 'fill'>;
  landing: Pick<Landing, 'judge'>;
  intake: Pick<Intake, 'lastMatchAt'>;
  handOver: Pick<HandOver, 'position' | 'at'>;
  parked: Pick<ParkedEntries, 'nextDue'>;
  /** The consumer's own clock, ms. */
  clock: () => number;
  /** Until when a request may start, monotonic ms. */
  startBy: () => number;
  /** When the drain ends to let new code and a new run of the workflow have their turn, monotonic ms. */
  yieldsAt: number;
  idleAfterMs: number;
  /** Called when there is something to store. */
  mark: () => void;
}

/** What a drain does every few tens of ms: deadlines, retries that are due, and falling idle. */
export interface Ticking {
  tick(now: number): void;
  /** Since when there was nothing to do (monotonic ms); null while there is. */
  readonly quietSince: number | null;
}

export function createTicking(options: TickingOptions): Ticking {
  const { senders, dispatcher, ending, slidingWindow, tail } = options;
  let quietSince: number | null = null;

  function tick(now: number): void {
    senders.sweep(now);
    if (dispatcher.inFlight > 0 && now > options.startBy()) senders.cut();
    if (ending.reason !== null) return;
    if (now > options.yieldsAt) {
      ending.begin('yielded');
      return;
    }
    options.failures.tick(now);
    options.retries.tick();
    // The tail does not call for entries that can't match: how far it has come is seen here.
    const behind = tail.end === null || slidingWindow.readTo < tail.end;
    if (behind || slidingWindow.open > 0 || !dispatcher.empty) options.reader.fill();
    options.landing.judge();
    fallIdle(now);
  }

  /** Stores silent progress, and ends the drain once it has been quiet for long enough. */
  function fallIdle(now: number): void {
    const idleness = idlenessOf({
      now,
      lastMatchAt: options.intake.lastMatchAt,
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
    if (idleness.store) options.mark();
    if (idleness.idle) ending.begin('idle');
  }

  return {
    tick,
    get quietSince() {
      return quietSince;
    },
  };
}
