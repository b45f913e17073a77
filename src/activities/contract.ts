import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import type { StopReason } from '../consumers/lifecycle.ts';
import type { CommandAnswer, CommandRequest } from '../rules/command.ts';
import type { Failure } from '../rules/outcome.ts';
import type { Filter } from '../schema/consumer.ts';

/** Activities of the control queue: the workflow's hand on its consumer's row. */
export interface ControlActivities {
  /** As the row stands, letting go of a hold nobody waits for; null when there is no such consumer. */
  load(
    input: Of,
  ): Promise<{ standing: ConsumerSnapshot; filter: Filter; truncated: boolean } | null>;
  look(input: Of): Promise<ConsumerSnapshot>;
  apply(
    input: Of & { ask: CommandRequest; at: string },
  ): Promise<{ answer: CommandAnswer; standing: ConsumerSnapshot }>;
  /** Asks the running sender to let go. */
  hold(input: Of): Promise<void>;
  block(input: Of & { reason: string; at: string }): Promise<ConsumerSnapshot>;
  /** `success`: the endpoint has taken something; else nothing was left to try. */
  unblock(input: Of & { at: string; success: boolean }): Promise<ConsumerSnapshot>;
  /** Warns who is named that the endpoint has failed for a while; once an episode. */
  warn(input: Of & { at: string }): Promise<ConsumerSnapshot>;
  stop(input: Of & { at: string; why: StopReason }): Promise<ConsumerSnapshot>;
  /** Whether an entry still waits at the head of a blocked consumer, or its endpoint has asked to wait. */
  hasHead(input: Of): Promise<boolean>;
}

/** Activities of the region's delivery queue: the only senders. */
export interface DeliveryActivities {
  /** Delivers until something ends it. Returns positions and names only. */
  drain(input: Of): Promise<Drained>;
  /** One attempt at the failing head; Temporal's retry policy repeats it. */
  deliver(input: DeliverInput): Promise<Delivered>;
}

export interface Of {
  consumerId: string;
}

export interface DeliverInput extends Of {
  /** Whatever comes of it, no retry follows. */
  last: boolean;
  /** What the workflow planned with; histories from before it lack it. */
  windowMs?: number;
}

export interface Drained {
  reason: 'idle' | 'blocked' | 'changed' | 'yielded' | 'fenced' | 'gone' | 'parked';
  position: number;
  /** Sentence about the failing head, when blocked. */
  failure: string | null;
  /** When the next parked entry is due, RFC 3339; null: none is parked. */
  parkedDueAt: string | null;
}

export interface Delivered {
  /**
   * `delivered`: the endpoint took it. `clear`: nothing is left to try. `parked`: the endpoint takes others, so it was the message.
   * `changed`: the consumer is not blocked any more, or the window is another one. `gone`: the endpoint answered 410.
   */
  outcome: 'delivered' | 'parked' | 'clear' | 'changed' | 'gone';
  position: number;
}

/** First detail of the failure with which `deliver` gives up. */
export interface DeliverFailure {
  /** The attempt fell into the last minute of the window, so the consumer stops. */
  final: boolean;
}

/** What is known of a failing head after an attempt; told to the workflow by a signal. */
export interface HeadReport {
  attempt: number;
  nextAttemptAt: string | null;
  lastFailure: Failure;
}
