import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import type { StopReason } from '../consumers/lifecycle.ts';
import type { CommandAnswer, CommandRequest } from '../rules/command.ts';
import type { Failure } from '../rules/outcome.ts';
import type { Filter } from '../schema/consumer.ts';

/** The activities of the control queue, by which a workflow reads and writes its consumer's row. */
export interface ControlActivities {
  /**
   * Reads the row and the filter, notes that the workflow runs, and ends a hold that no command waits for;
   * null when it does not exist.
   */
  load(input: Of): Promise<Loaded | null>;
  /** Reads the row. */
  look(input: Of): Promise<ConsumerSnapshot>;
  /** Applies a command and answers once it is in force. */
  apply(
    input: Of & { ask: CommandRequest; at: string },
  ): Promise<{ answer: CommandAnswer; standing: ConsumerSnapshot }>;
  /** Asks the running sender to release its lease. */
  hold(input: Of): Promise<void>;
  /** Turns the consumer from active to blocked. */
  block(input: Of & { reason: string; at: string }): Promise<ConsumerSnapshot>;
  /** Turns it back to active; `success`: the endpoint has accepted an entry; otherwise nothing was left to try. */
  unblock(input: Of & { at: string; success: boolean }): Promise<ConsumerSnapshot>;
  /** Sends a warning that the endpoint has failed for a while; once for each time the consumer is blocked. */
  warn(input: Of & { at: string }): Promise<ConsumerSnapshot>;
  /** Stops the consumer, with an alert. */
  stop(input: Of & { at: string; why: StopReason }): Promise<ConsumerSnapshot>;
  /** Whether a blocked consumer still has an entry to try, or its endpoint has asked to wait. */
  hasHead(input: Of): Promise<boolean>;
}

/** The data that a workflow begins with. */
export interface Loaded {
  standing: ConsumerSnapshot;
  filter: Filter;
  /** Whether the filter's lists were cut to fit. */
  truncated: boolean;
  /** The consumer's page in the console, as a URL; older histories lack it. */
  consolePage?: string;
}

/** The activities of the region's delivery queue: the only senders, and what follows sources. */
export interface DeliveryActivities {
  /** Delivers entries until the drain ends. The result holds no data of entries. */
  drain(input: DrainInput): Promise<Drained>;
  /** Makes one attempt at the failing head; Temporal's retry policy repeats it. */
  deliver(input: DeliverInput): Promise<Delivered>;
  /** Delivers for many quiet consumers, until another lane is to take its place. */
  visit(input: VisitInput): Promise<Visited>;
  /** Follows a source. The result holds no data of its tables. */
  follow(input: FollowInput): Promise<FollowEnded>;
}

/** The input of `follow`. */
export interface FollowInput {
  sourceId: string;
}

/** How following a source has ended. */
export interface FollowEnded {
  /** `stopped`: its worker stops, or it is somebody else's turn. */
  reason: 'gone' | 'paused' | 'failed' | 'stopped';
}

/** The input of `visit`. */
export interface VisitInput {
  /** The number of the lane, from 0 on. */
  lane: number;
  /** It ends after so many milliseconds at the latest; without it, after about an hour. */
  endsWithinMs?: number;
}

/** What a lane has done. */
export interface Visited extends Pick<VisitInput, 'lane'> {
  /** How many consumers it has claimed. */
  visits: number;
  /** How many of them it has handed over to drains of their own. */
  handedOver: number;
}

/** The consumer that an activity is for. */
export interface Of {
  consumerId: string;
}

/** The input of `drain`. */
export interface DrainInput extends Of {
  /**
   * Whether the workflow itself waits when the consumer can't send; older workflows leave that to Temporal's
   * retries.
   */
  waits?: boolean;
}

/** Added to the result of an activity that a lasting fault, which is not the endpoint's, has kept from sending. */
export interface CannotStartNow {
  /** A sentence for people. */
  cannotStart?: string;
  /** Milliseconds until it is tried again. */
  againInMs?: number;
}

/** The input of `deliver`. */
export interface DeliverInput extends DrainInput {
  /** Whether no retry follows, whatever the outcome. */
  last: boolean;
  /** The retry window for which the workflow planned, ms; older histories lack it. */
  windowMs?: number;
}

/** How a drain ended, or why it was not started. */
export interface Drained extends CannotStartNow {
  reason: 'idle' | 'blocked' | 'changed' | 'yielded' | 'fenced' | 'gone' | 'parked' | 'unstartable';
  position: number;
  /** A sentence about the failing head for `blocked` and `gone`; otherwise null. */
  failure: string | null;
  /** When the next parked entry is due, RFC 3339; null: none is parked. */
  parkedDueAt: string | null;
}

/** How `deliver` ended, unless the endpoint failed. */
export interface Delivered extends CannotStartNow {
  /**
   * `delivered`: the endpoint accepted an entry. `clear`: nothing is left to try. `parked`: the endpoint
   * accepts other entries, so the head was parked. `changed`: the consumer is no longer blocked, or the retry
   * window has another length. `gone`: the endpoint answered 410. `unstartable`: a lasting fault that is not
   * the endpoint's kept it from being tried.
   */
  outcome: 'delivered' | 'parked' | 'clear' | 'changed' | 'gone' | 'unstartable';
  position: number;
}

/** The first detail of the failure that `deliver` throws when the endpoint has failed. */
export interface DeliverFailure {
  /** Whether no further attempt fits into the window, so that the consumer stops. */
  final: boolean;
}

/** The facts about a failing head after an attempt; a signal carries them to the workflow. */
export interface HeadReport {
  attempt: number;
  nextAttemptAt: string | null;
  lastFailure: Failure;
}
