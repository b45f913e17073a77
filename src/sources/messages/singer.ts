import { isGiven, membersOf, readObject, textOf, type Members } from './jsonText.ts';
import {
  problem,
  type GivenKeys,
  type KeyFields,
  type Message,
  type Problem,
  type Reader,
} from './message.ts';
import { upstreamIdOf } from './recordKey.ts';

/**
 * Reads the messages of a Singer tap (specification 0.3.0, with the deletions of log-based taps). A record's key
 * is made of the `key_properties` of its stream's last SCHEMA, unless `keys` gives another.
 */
export function createSingerReader({ keys }: { keys: GivenKeys }): Reader {
  const schemas = new Map<string, KeyFields>();

  function readSchema(members: Members): Message {
    const stream = textOf(members.get('stream'));
    if (stream === null) return problem('the SCHEMA names no stream');
    const properties: unknown = JSON.parse(members.get('key_properties') ?? '[]');
    const names = Array.isArray(properties) ? properties : [];
    schemas.set(
      stream,
      names.map((name) => [String(name)]),
    );
    return { kind: 'stream', stream, hasStatus: false };
  }

  function readRecord(members: Members, nulled: number): Message {
    const stream = textOf(members.get('stream'));
    if (stream === null) return problem('the RECORD names no stream');
    const data = members.get('record') ?? '';
    const fields = membersOf(data);
    if (fields === null) return problem(`the RECORD of stream ${stream} has no record`);
    const key = keys.get(stream) ?? schemas.get(stream);
    if (key === undefined) return problem(`a RECORD of stream ${stream} comes before its SCHEMA`);
    if (key.length === 0) return keyless(stream);
    const id = upstreamIdOf(fields, key);
    if ('fault' in id) {
      return problem(`the key of a RECORD of stream ${stream} can't be used: ${id.fault}`);
    }
    const deleted = isGiven(fields.get('_sdc_deleted_at'));
    return {
      kind: 'record',
      stream,
      ...id,
      data: deleted ? null : data,
      deleted,
      merge: false,
      version: versionOf(members),
      nulled,
    };
  }

  return (line) => {
    const read = readObject(line);
    if (read === null) return problem('it is not a JSON object');
    const { members, nulled } = read;
    const type = textOf(members.get('type'))?.toUpperCase() ?? null;
    switch (type) {
      case null:
        return problem('it has no type, so it is no Singer message');
      case 'RECORD':
        return readRecord(members, nulled);
      case 'SCHEMA':
        return readSchema(members);
      case 'STATE':
        return {
          kind: 'state',
          text: line,
          value: members.get('value') ?? 'null',
          subject: null,
          isListed: false,
        };
      case 'ACTIVATE_VERSION':
        return readActivation(members);
      case 'BATCH':
        return problem(
          `the BATCH of stream ${textOf(members.get('stream')) ?? '?'} names files instead of records, which Millrace does not read`,
          "Remove batch_config from the tap's configuration, so that it sends RECORD messages",
        );
      default:
        return { kind: 'ignored', type, why: null };
    }
  };
}

function readActivation(members: Members): Message {
  const stream = textOf(members.get('stream'));
  const version = versionOf(members);
  return stream === null || version === null
    ? problem('the ACTIVATE_VERSION names no stream or no version')
    : { kind: 'complete', stream, version };
}

function versionOf(members: Members): string | null {
  const version = members.get('version');
  return isGiven(version) ? version : null;
}

function keyless(stream: string): Problem {
  return problem(
    `stream ${stream} has no key_properties, so its records can't be told apart`,
    `Name the fields that identify a record with --key ${stream}=FIELD, set table-key-properties in the tap's catalog, or deselect the stream`,
  );
}
