/** A change of one record. */
export interface RecordMessage {
  kind: 'record';
  stream: string;
  /** The record's id at its source. */
  upstreamId: string;
  /** The JSON text as it came, of which nothing is rounded; null for a deletion, which keeps the stored data. */
  data: string | null;
  deleted: boolean;
  /** Whether fields that `data` lacks keep their stored values. */
  merge: boolean;
  /** The version of the stream's table that a Singer tap reads; null where it names none. */
  version: string | null;
  /** How many values that JSON does not have (NaN, Infinity) became null in the line. */
  nulled: number;
}

/** All records of a stream are deleted. */
export interface TruncateMessage {
  kind: 'truncate';
  stream: string;
}

/** How far the connector has come, once everything before it is stored. */
export interface StateMessage {
  kind: 'state';
  /** The line as it came. */
  text: string;
  /** The part of it that is kept for the connector's next run. */
  value: string;
  /** What `value` speaks of, if the states of other subjects stay in force beside it; null if it replaces all. */
  subject: string | null;
  /** Whether the connector takes a list of such values (Airbyte) rather than one of them. */
  isListed: boolean;
}

/** What a reader can't use. Reading ends with it, because a later STATE would skip what it stands for. */
export interface Problem {
  kind: 'problem';
  detail: string;
  /** What to do about it. */
  hint: string | null;
}

/** What a line of a connector says, in whatever format. */
export type Message =
  | RecordMessage
  | StateMessage
  | Problem
  | TruncateMessage
  /** The connector begins to speak of a stream; `hasStatus` if it will also say when that is complete. */
  | { kind: 'stream'; stream: string; hasStatus: boolean }
  /** The connector says that it has read all of a stream; of Singer, that its records of a version are all there are. */
  | { kind: 'complete'; stream: string; version: string | null }
  /** A line for people. */
  | { kind: 'log'; text: string }
  /** The connector says that it failed. It may go on; what it does is not complete. */
  | { kind: 'failure'; text: string }
  /** A kind of message that has no effect here; people are told once a `type`. */
  | { kind: 'ignored'; type: string; why: string | null }
  /** Something that was used, or is of no interest to anyone. */
  | { kind: 'nothing' };

/** Reads the lines of one connector, one after another. */
export type Reader = (line: string) => Message;

/** The fields that make up a record's key: each is a name, or a path of names. */
export type KeyFields = readonly (readonly string[])[];

/** The keys that a person has given, by stream; they win over those of the messages. */
export type GivenKeys = ReadonlyMap<string, KeyFields>;

/** What says nothing. */
export const NOTHING: Message = { kind: 'nothing' };

/** A problem in words. */
export function problem(detail: string, hint: string | null = null): Problem {
  return { kind: 'problem', detail, hint };
}
