import { isGiven, membersOf, readObject, textOf, type Members } from './jsonText.ts';
import { NOTHING, problem, type GivenKeys, type Message, type Reader } from './message.ts';
import { upstreamIdOf, upstreamIdOfKey } from './recordKey.ts';

/** What Debezium writes for a large value that an update did not touch and its database did not log. */
const UNAVAILABLE = '"__debezium_unavailable_value"';

const DELETION = { data: null, deleted: true, merge: false, version: null };

/** A message of a Kafka topic as its line gives it: texts of JSON. */
interface Change {
  topic: string | null;
  /** Undefined when the line has none. */
  key: string | undefined;
  value: string;
  nulled: number;
}

/**
 * Reads change events of Debezium, one a line: `{"key":…,"value":…}`, what `kcat -J` prints, or the value alone;
 * with or without their schemas. The key is that of the message, unless `keys` gives another for the stream,
 * which is `schema.table`, or `database.table` where there are no schemas.
 */
export function createDebeziumReader({ keys }: { keys: GivenKeys }): Reader {
  /** The stream of each topic: the value of a tombstone does not say it. */
  const streams = new Map<string, string>();

  function readEvent({ topic, key, nulled }: Change, event: Members): Message {
    const op = textOf(event.get('op'));
    const stream = streamOf(membersOf(event.get('source') ?? '') ?? new Map());
    if (op === null) return readOther(event);
    if (op === 'm') return { kind: 'ignored', type: 'logical decoding message', why: null };
    if (stream === null) return problem('its source names no table');
    if (op === 't') return { kind: 'truncate', stream };
    if (!['c', 'u', 'r', 'd'].includes(op)) return problem(`its op is ${op}, which is unknown`);
    if (topic !== null) streams.set(topic, stream);
    const deleted = op === 'd';
    const row = documentOf(event.get(deleted ? 'before' : 'after'));
    const fields = row === null ? null : membersOf(row);
    if (fields === null && !deleted) return problem(`the change of ${stream} has no after`);
    const id = idOf(keys.get(stream), key, fields);
    if (id === null) return keyless(stream);
    if ('fault' in id)
      return problem(`the key of a change of ${stream} can't be used: ${id.fault}`);
    if (deleted) return { kind: 'record', stream, ...id, ...DELETION, nulled };
    const { data, merge } = available(row!, fields!);
    return { kind: 'record', stream, ...id, data, merge, deleted, version: null, nulled };
  }

  /** A message without a value follows the deletion of its record, or stands for it in a compacted topic. */
  function readTombstone({ topic, key }: Change): Message {
    const stream = topic === null ? undefined : streams.get(topic);
    const id = key === undefined ? null : idOfKey(key);
    if (stream === undefined || id === null || 'fault' in id || keys.has(stream)) {
      return {
        kind: 'ignored',
        type: 'tombstone',
        why: 'the deletion before it counts; it does not name its table itself',
      };
    }
    return { kind: 'record', stream, ...id, ...DELETION, nulled: 0 };
  }

  return (line) => {
    const read = readObject(line);
    if (read === null) return problem('it is not a JSON object');
    const change = changeOf(line, read.members, read.nulled);
    if (change === null) return problem('its value is not a JSON object');
    const value = payloadOf(change.value);
    if (value === 'null') return readTombstone(change);
    const event = membersOf(value);
    return event === null ? problem('its value is not a JSON object') : readEvent(change, event);
  };
}

function changeOf(line: string, members: Members, nulled: number): Change | null {
  const isKcat = members.has('topic') && members.has('offset') && members.has('payload');
  if (!isKcat && !members.has('value')) return { topic: null, key: undefined, value: line, nulled };
  const topic = textOf(members.get('topic'));
  const key = members.get('key');
  const value = members.get(isKcat ? 'payload' : 'value') ?? 'null';
  const inner = textOf(value);
  if (inner === null) return { topic, key, value, nulled };
  const read = readObject(inner); // tools that do not look into a message give its text as a string
  return read === null ? null : { topic, key, value: inner, nulled: read.nulled };
}

/** What the envelope of Kafka Connect's JSON converter holds; any other text as it is. */
function payloadOf(json: string): string {
  const members = membersOf(json);
  const payload = members?.get('payload');
  if (payload === undefined) return json;
  const isAlone = members!.size === 1 && (payload === 'null' || payload.startsWith('{'));
  return members!.has('schema') || isAlone ? payload : json;
}

/** The text of a row; MongoDB gives its documents as strings. Null when there is none. */
function documentOf(json: string | undefined): string | null {
  if (!isGiven(json)) return null;
  const inner = textOf(json);
  if (inner === null) return json;
  return readObject(inner) === null ? null : inner;
}

/** A row without the values that its database did not log; they keep what is stored. */
function available(row: string, fields: Members): { data: string; merge: boolean } {
  const given = [...fields].filter(([, value]) => value !== UNAVAILABLE);
  if (given.length === fields.size) return { data: row, merge: false };
  const members = given.map(([name, value]) => `${JSON.stringify(name)}:${value}`);
  return { data: `{${members.join(',')}}`, merge: true };
}

function idOf(
  given: Parameters<typeof upstreamIdOf>[1] | undefined,
  key: string | undefined,
  fields: Members | null,
): ReturnType<typeof upstreamIdOf> | null {
  if (given !== undefined) return upstreamIdOf(fields ?? new Map(), given);
  return key === undefined ? null : idOfKey(key);
}

/** The id by the key of a message: an object of one or more fields, or a value alone. */
function idOfKey(key: string): ReturnType<typeof upstreamIdOf> | null {
  const inner = textOf(key);
  const json = payloadOf(inner !== null && readObject(inner) !== null ? inner : key);
  if (json === 'null') return null;
  const members = membersOf(json) ?? new Map([['key', json]]);
  return members.size === 0 ? null : upstreamIdOfKey(members);
}

function streamOf(source: Members): string | null {
  const table = textOf(source.get('table')) ?? textOf(source.get('collection'));
  const schema = textOf(source.get('schema')) ?? textOf(source.get('db'));
  return table === null || schema === null || schema === '' ? table : `${schema}.${table}`;
}

/** What connectors write beside changes of rows. */
function readOther(event: Members): Message {
  const names = [...event.keys()];
  if (event.has('ddl') || event.has('tableChanges')) {
    return { kind: 'ignored', type: 'schema change', why: null };
  }
  if (event.has('status') && event.has('id') && event.has('event_count')) {
    return { kind: 'ignored', type: 'transaction boundary', why: null };
  }
  if (names.every((name) => name === 'ts_ms')) return NOTHING; // a heartbeat
  return problem(
    'it has no op, so it is no change event of Debezium',
    'Events that ExtractNewRecordState has flattened do not say what happened; send them without that transformation',
  );
}

function keyless(stream: string): Message {
  return problem(
    `a change of ${stream} comes without its key`,
    `Give lines as {"key":…,"value":…} or as kcat -J prints them, or name the fields that identify a record with --key ${stream}=FIELD`,
  );
}
