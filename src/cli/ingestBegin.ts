import { CollectionId, SyncId } from '../schema/fields.ts';
import { createAirbyteReader } from '../sources/messages/airbyte.ts';
import { keysOfCatalog } from '../sources/messages/airbyteCatalog.ts';
import { createDebeziumReader } from '../sources/messages/debezium.ts';
import {
  problem,
  type GivenKeys,
  type KeyFields,
  type Reader,
} from '../sources/messages/message.ts';
import { createSingerReader } from '../sources/messages/singer.ts';
import { usage } from './exit.ts';
import type { IngestFlags } from './ingestFlags.ts';
import { openStateFile, type StateFile } from './ingestState.ts';
import { readBytes, textOf } from './values.ts';

/** An ingest that is ready to read. */
export interface IngestBegun {
  read: Reader;
  collectionOf: (stream: string) => string;
  stateFile: StateFile | null;
}

const READERS = {
  singer: createSingerReader,
  airbyte: createAirbyteReader,
  debezium: createDebeziumReader,
};

/** Checks the flags and reads the files that they name. Rejects with a `CliError` before anything is read. */
export async function beginIngest(flags: IngestFlags): Promise<IngestBegun> {
  const { format, sync, provider } = flags;
  if (!SyncId.safeParse(sync).success) throw usage('--sync must have 1 to 255 characters');
  if (provider.includes(':') || !CollectionId.safeParse(`${provider}:x`).success) {
    throw usage('--provider must have 1 to 255 characters and no colon, for example stripe');
  }
  if (flags.catalog !== undefined && format !== 'airbyte') {
    throw usage(`--catalog is only for --format airbyte; ${format} messages bring their keys`);
  }
  if (flags.stateValues === true && format !== 'singer') {
    throw usage('--state-values is only for --format singer');
  }
  if (flags.fullPass === true && format === 'debezium') {
    throw usage('--full-pass has no use here: Debezium says itself what is deleted');
  }
  if (flags.state !== undefined && format === 'debezium') {
    throw usage('--state has no use here: Debezium keeps its offsets itself, and sends no STATE');
  }
  const keys: GivenKeys = new Map([
    ...(flags.catalog === undefined ? [] : await readCatalog(flags.catalog)),
    ...(flags.key ?? []).map(keyOf),
  ]);
  const stateFile = flags.state === undefined ? null : await openStateFile(flags.state);
  const collectionOf = (stream: string): string => `${provider}:${stream}`;
  return {
    read: withCollections(READERS[format]({ keys }), collectionOf),
    collectionOf,
    stateFile,
  };
}

/** Refuses streams whose names can't be a part of a collection. */
function withCollections(read: Reader, collectionOf: (stream: string) => string): Reader {
  const known = new Set<string>();
  return (line) => {
    const message = read(line);
    if (!('stream' in message) || known.has(message.stream)) return message;
    if (!CollectionId.safeParse(collectionOf(message.stream)).success) {
      return problem('the name of its stream must have 1 to 255 characters that Postgres stores');
    }
    known.add(message.stream);
    return message;
  };
}

async function readCatalog(path: string): Promise<Map<string, KeyFields>> {
  if (path === '-') throw usage('--catalog takes a file: stdin has the messages');
  const text = textOf(path, await readBytes(path));
  let catalog: unknown;
  try {
    catalog = JSON.parse(text);
  } catch {
    throw usage(`${path} is not JSON`);
  }
  const keys = keysOfCatalog(catalog);
  if (keys !== null) return keys;
  throw usage(
    `${path} is not a configured catalog of Airbyte: {"streams":[{"stream":{"name":…},"primary_key":…}]}`,
    'Give the file that the source itself gets with --catalog',
  );
}

function keyOf(text: string): [stream: string, key: KeyFields] {
  const at = text.lastIndexOf('=');
  const fields = text.slice(at + 1).split(',');
  if (at > 0 && fields.every((field) => field !== '')) {
    return [text.slice(0, at), fields.map((field) => [field])];
  }
  throw usage(`--key takes STREAM=FIELD or STREAM=FIELD,FIELD; not ${JSON.stringify(text)}`);
}
