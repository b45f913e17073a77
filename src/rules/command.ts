import type { ConsumerPatch, ConsumerStatus, FilterDelta } from '../schema/consumer.ts';
import type { ProblemCode } from '../schema/problem.ts';

/** The destination of a seek; a cursor in the request has already been turned into its position. */
export type SeekTo = 'beginning' | 'end' | { position: number } | { time: string };

/** Why a retry was given that nobody asked for: its target was changed, or tested, or another process leads. */
export type RetryCause = 'target_changed' | 'target_tested' | 'new_leader';

/** A command to a consumer. The workflow's update carries it, and its history keeps it. */
export type Command =
  | { kind: 'pause' | 'resume' | 'delete' }
  | { kind: 'retry'; because?: RetryCause }
  | { kind: 'seek'; to: SeekTo }
  | { kind: 'filter'; delta: FilterDelta }
  | { kind: 'patch'; patch: ConsumerPatch }
  /** Puts dead letters back among the parked entries, in order; null: all of them. */
  | { kind: 'replay'; ids: string[] | null }
  /** Sends an entry again that was delivered. */
  | { kind: 'resend'; position: number }
  /** Refers to one of the above that is too large for a history, by its id in `stored_edits`. */
  | { kind: 'stored'; id: string };

/** A command as the workflow gets it. Stored histories use the names of its members, so these must not change. */
export interface CommandRequest {
  /** Identifies the command: giving it again with the same id has no further effect. */
  editId: string;
  /**
   * The name of the caller's API key, for a retry after a test of the target that of the test; `temporal` for a
   * signal; `target` for a retry because the target was changed; `millrace` for one because another process leads.
   */
  actor: string;
  command: Command;
}

/** What the workflow answers to a command, with what the API needs for a problem. */
export type CommandAnswer =
  /** `count`: how many entries the command concerned, if it counts them. */
  | { ok: true; version: number; count?: number }
  | { ok: false; status: 404 | 409 | 422; code: ProblemCode; detail: string };

/**
 * Whether a command changes the position, the order or the batches of a running sender, and so waits until it has
 * stopped.
 */
export function needsHold(command: Command): boolean {
  if (command.kind === 'seek' || command.kind === 'stored') return true;
  if (command.kind !== 'patch') return false;
  return command.patch.ordering !== undefined || command.patch.batch !== undefined;
}

/** Whether a command ends sending. Its status is shown only once no request can start any more. */
export function endsSending(command: Command): boolean {
  return command.kind === 'pause' || command.kind === 'delete';
}

type Verb = 'pause' | 'resume' | 'retry' | 'seek';
/** `apply` changes the consumer, `nothing` answers 200 without effect, `conflict` answers 409. */
type Effect = 'apply' | 'nothing' | 'conflict';

/** The table of statuses and commands; it does not compile while a pair is missing. */
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
