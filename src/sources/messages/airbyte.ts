import { isGiven, membersOf, readObject, textOf, type Members } from './jsonText.ts';
import { NOTHING, problem, type GivenKeys, type Message, type Reader } from './message.ts';
import { upstreamIdOf } from './recordKey.ts';

const NONE: Members = new Map();

/**
 * Reads the messages of an Airbyte source (protocol 0.18). RECORDs name no key, so `keys` has it by stream
 * (`namespace.name`, or `name` where there is no namespace). A STATE that speaks of more records than came is a
 * problem.
 */
export function createAirbyteReader({ keys }: { keys: GivenKeys }): Reader {
  /** The records that came of each stream since the last STATE that speaks of it. */
  const counts = new Map<string, number>();

  function readRecord(record: Members, nulled: number): Message {
    const stream = streamOf(record, 'stream');
    if (stream === null) return problem('the RECORD names no stream');
    const data = record.get('data') ?? '';
    const fields = membersOf(data);
    if (fields === null) return problem(`the RECORD of stream ${stream} has no data`);
    const key = keys.get(stream) ?? [];
    if (key.length === 0) return keyless(stream);
    const id = upstreamIdOf(fields, key);
    if ('fault' in id) {
      return problem(`the key of a RECORD of stream ${stream} can't be used: ${id.fault}`);
    }
    counts.set(stream, (counts.get(stream) ?? 0) + 1);
    const deleted = isGiven(fields.get('_ab_cdc_deleted_at'));
    return {
      kind: 'record',
      stream,
      ...id,
      data: deleted ? null : data,
      deleted,
      merge: false,
      version: null,
      nulled,
    };
  }

  function readState(line: string, value: string, state: Members): Message {
    const type = textOf(state.get('type')) ?? 'LEGACY';
    if (type === 'LEGACY') {
      const data = state.get('data') ?? 'null';
      return { kind: 'state', text: line, value: data, subject: null, isListed: false };
    }
    const subject = subjectOf(state);
    const came = takeCount(subject);
    const announced = Number(partOf(state, 'sourceStats').get('recordCount') ?? came);
    if (announced > came) {
      return problem(
        `the STATE${subject === null ? '' : ` of stream ${subject}`} speaks of ${announced} records, and ${came} came: some were lost on the way`,
        'Run it again: everything before the last printed STATE is stored',
      );
    }
    return { kind: 'state', text: line, value, subject, isListed: true };
  }

  function takeCount(subject: string | null): number {
    if (subject !== null) {
      const count = counts.get(subject) ?? 0;
      counts.delete(subject);
      return count;
    }
    const sum = [...counts.values()].reduce((a, b) => a + b, 0);
    counts.clear();
    return sum;
  }

  return (line) => {
    const read = readObject(line);
    if (read === null) {
      // The protocol has everything that is no message be treated as a log.
      return line.startsWith('{') ? problem('it is not JSON') : { kind: 'log', text: line };
    }
    const { members, nulled } = read;
    const type = textOf(members.get('type'));
    switch (type) {
      case null:
        return problem('it has no type, so it is no Airbyte message');
      case 'RECORD':
        return readRecord(partOf(members, 'record'), nulled);
      case 'STATE':
        return readState(line, members.get('state') ?? 'null', partOf(members, 'state'));
      case 'TRACE':
        return readTrace(partOf(members, 'trace'));
      case 'LOG':
        return readLog(partOf(members, 'log'));
      case 'CONTROL':
        return {
          kind: 'ignored',
          type,
          why: "the source wants to keep a new configuration, which Millrace does not write; update the source's configuration yourself",
        };
      default:
        return { kind: 'ignored', type, why: null };
    }
  };
}

/** The stream that a state speaks of; null when it speaks of all. */
export function subjectOf(state: Members): string | null {
  if (textOf(state.get('type')) !== 'STREAM') return null;
  return streamOf(partOf(partOf(state, 'stream'), 'stream_descriptor'), 'name');
}

function readTrace(trace: Members): Message {
  const type = textOf(trace.get('type'));
  if (type === 'ERROR') {
    const error = partOf(trace, 'error');
    const stream = streamOf(partOf(error, 'stream_descriptor'), 'name');
    const kind = textOf(error.get('failure_type'));
    const message = textOf(error.get('message')) ?? 'no message';
    const where = stream === null ? '' : ` in stream ${stream}`;
    return { kind: 'failure', text: `${kind ?? 'error'}${where}: ${message}` };
  }
  return type === 'STREAM_STATUS' ? readStatus(partOf(trace, 'stream_status')) : NOTHING;
}

function readStatus(members: Members): Message {
  const stream = streamOf(partOf(members, 'stream_descriptor'), 'name');
  if (stream === null) return NOTHING;
  const status = textOf(members.get('status'));
  if (status === 'STARTED') return { kind: 'stream', stream, hasStatus: true };
  if (status === 'COMPLETE') return { kind: 'complete', stream, version: null };
  if (status !== 'INCOMPLETE') return NOTHING;
  return { kind: 'failure', text: `stream ${stream} ended before it was complete` };
}

function readLog(log: Members): Message {
  const level = textOf(log.get('level')) ?? 'INFO';
  if (level === 'DEBUG' || level === 'TRACE') return NOTHING;
  return { kind: 'log', text: `${level} ${textOf(log.get('message')) ?? ''}` };
}

function streamOf(members: Members, field: 'stream' | 'name'): string | null {
  const name = textOf(members.get(field));
  const namespace = textOf(members.get('namespace'));
  return name === null || namespace === null || namespace === '' ? name : `${namespace}.${name}`;
}

function partOf(members: Members, name: string): Members {
  return membersOf(members.get(name) ?? '') ?? NONE;
}

function keyless(stream: string): Message {
  return problem(
    `stream ${stream} has no primary key, so its records can't be told apart`,
    `Give --catalog FILE with the configured catalog, in which the stream has a primary_key, or name the fields that identify a record with --key ${stream}=FIELD`,
  );
}
