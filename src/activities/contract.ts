import type { Answer, Ask } from '../command.ts';
import type { Filter } from '../schema.ts';
import type { Standing } from '../standing.ts';

/** Activities of the control queue: the workflow's hand on its consumer's row. */
export interface ControlActivities {
  /** As the row stands, letting go of a hold nobody waits for; null when there is no such consumer. */
  load(input: Of): Promise<{ standing: Standing; filter: Filter; truncated: boolean } | null>;
  look(input: Of): Promise<Standing>;
  apply(input: Of & { ask: Ask; at: string }): Promise<{ answer: Answer; standing: Standing }>;
  /** Asks the running sender to let go. */
  hold(input: Of): Promise<void>;
  block(input: Of & { reason: string; at: string }): Promise<Standing>;
  unblock(input: Of): Promise<Standing>;
  stop(input: Of & { at: string }): Promise<Standing>;
  /** Whether an entry still waits at the head of a blocked consumer. */
  hasHead(input: Of): Promise<boolean>;
}

/** Activities of the region's delivery queue: the only senders. */
export interface DeliveryActivities {
  /** Delivers until something ends it. Returns positions and names only. */
  drain(input: Of): Promise<Drained>;
  /** One attempt at the failing head; Temporal's retry policy repeats it. */
  deliver(input: Of & { last: boolean }): Promise<Delivered>;
}

export interface Of {
  consumerId: string;
}

export interface Drained {
  reason: 'idle' | 'blocked' | 'changed' | 'yielded' | 'fenced';
  position: number;
  /** Sentence about the failing head, when blocked. */
  failure: string | null;
}

export interface Delivered {
  /** `clear`: nothing is left to try. `changed`: the consumer is not blocked any more. */
  outcome: 'delivered' | 'clear' | 'changed';
  position: number;
}

/** First detail of the failure with which `deliver` gives up. */
export interface DeliverFailure {
  /** The attempt fell into the last minute of the window, so the consumer stops. */
  final: boolean;
}
