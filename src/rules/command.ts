import type { ConsumerPatch, ConsumerStatus, FilterDelta } from '../schema/consumer.ts';

/** Where a seek goes; a cursor has been opened to its position by then. */
export type SeekTo = 'beginning' | 'end' | { position: number } | { time: string };

/** What someone can ask of a consumer. Carried by the workflow's update and kept in its history. */
export type Command =
  | { kind: 'pause' | 'resume' | 'retry' | 'delete' }
  | { kind: 'seek'; to: SeekTo }
  | { kind: 'filter'; delta: FilterDelta }
  | { kind: 'patch'; patch: ConsumerPatch }
  /** Dead letters go back to the parked entries, in order; null: all of them. */
  | { kind: 'replay'; ids: string[] | null }
  /** An entry that was delivered is sent again. */
  | { kind: 'resend'; position: number }
  /** One of the above, too large for a history: its id in `stored_edits`. */
  | { kind: 'stored'; id: string };

/** A command on its way to the consumer's workflow. Its members are in stored histories, so their names stay. */
export interface CommandRequest {
  /** Of the command: the same id again has no further effect. */
  editId: string;
  /** Who gives it: an API key's name, or `temporal` for a signal. */
  actor: string;
  command: Command;
}

export type CommandAnswer =
  /** `count`: how many entries it concerned, where that is asked for. */
  | { ok: true; version: number; count?: number }
  | { ok: false; status: 404 | 409 | 422; code: string; detail: string };

/** Commands that move what the sender stands on wait until it has let go. */
export function needsHold(command: Command): boolean {
  if (command.kind === 'seek' || command.kind === 'stored') return true;
  return command.kind === 'patch' && command.patch.ordering !== undefined;
}

type Verb = 'pause' | 'resume' | 'retry' | 'seek';
/** `apply` does it, `nothing` answers 200 without effect, `conflict` is a 409. */
type Effect = 'apply' | 'nothing' | 'conflict';

/** The state × command table of the API; a missing pair does not compile. */
const TABLE: Record<ConsumerStatus, Record<Verb, Effect>> = {
  active: { pause: 'apply', resume: 'nothing', retry: 'apply', seek: 'apply' },
  blocked: { pause: 'apply', resume: 'nothing', retry: 'apply', seek: 'apply' },
  paused: { pause: 'nothing', resume: 'apply', retry: 'conflict', seek: 'apply' },
  stopped: { pause: 'conflict', resume: 'apply', retry: 'conflict', seek: 'apply' },
};

/** What `verb` does to a consumer in `status`. */
export function effectOf(status: ConsumerStatus, verb: Verb): Effect {
  return TABLE[status][verb];
}
