import { ClientError } from '../api/client.ts';
import type { RecordsAppended } from '../schema/stream.ts';
import type { RecordMessage } from '../sources/messages/message.ts';
import { PartlyStored, type Change } from '../sources/messages/pump.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { reasonOf } from './importPart.ts';
import type { IngestPasses } from './ingestPasses.ts';
import { patiently } from './patience.ts';

/** How long an append that was sent before an interruption may still take to be answered, ms. */
const GRACE_MS = 10_000;

/** Stores the changes of an ingest. */
export interface IngestStore {
  store(changes: readonly Change[]): Promise<void>;
  /** What was answered so far. */
  counts(): Record<'created' | 'updated' | 'deleted' | 'unchanged', number>;
}

/** A change of one record. */
interface RecordChange extends Change {
  message: RecordMessage;
}

/**
 * Appends changes to the records stream, each in the pass of its stream. Storing resolves when all are on the
 * server's disk; it waits up to a minute for an API that is away. When the API refuses one of them, it rejects with
 * a `PartlyStored` whose cause names its line; what comes before it is stored.
 */
export function createIngestStore(options: {
  context: Context;
  sync: string;
  collectionOf: (stream: string) => string;
  passes: IngestPasses;
}): IngestStore {
  const { context, sync, collectionOf, passes } = options;
  const signal = withGrace(context.signal);
  const counts = { created: 0, updated: 0, deleted: 0, unchanged: 0 };

  function textOf({ message }: RecordChange): string {
    const { stream, upstreamId, data, deleted, merge } = message;
    const passId = passes.idOf(stream);
    const fields = [
      `"sync_id":${JSON.stringify(sync)}`,
      `"collection_id":${JSON.stringify(collectionOf(stream))}`,
      `"upstream_id":${JSON.stringify(upstreamId)}`,
      deleted ? '"deleted":true' : `"data":${data}`,
    ];
    if (merge) fields.push('"merge":true');
    if (passId !== undefined) fields.push(`"pass_id":"${passId}"`);
    return `{${fields.join(',')}}`;
  }

  function add(answer: RecordsAppended): void {
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) counts[name] += answer[name];
  }

  async function append(changes: readonly RecordChange[], before: number): Promise<void> {
    const texts = changes.map(textOf);
    let stored = 0;
    try {
      await patiently(context, async () => {
        try {
          const lines = texts.slice(stored).join('\n');
          add(await context.client.request('POST', '/v1/records', { lines, signal }));
        } catch (error) {
          stored += committedOf(error);
          throw error;
        }
      });
    } catch (error) {
      const refused = changes[stored];
      if (!(error instanceof ClientError) || refused === undefined) throw error;
      const cause = error.code === 'invalid_line' ? refusal(refused, error) : error;
      throw new PartlyStored(before + stored, cause);
    }
  }

  async function store(changes: readonly Change[]): Promise<void> {
    await passes.begin();
    for (let from = 0; from < changes.length;) {
      const { message } = changes[from]!;
      if (message.kind === 'truncate') {
        await passes.empty(message.stream);
        from++;
        continue;
      }
      const found = changes.findIndex((one, at) => at > from && !isRecord(one));
      const some = changes.slice(from, found < 0 ? undefined : found).filter(isRecord);
      await append(some, from);
      from += some.length;
    }
  }

  return { store, counts: () => counts };
}

function isRecord(change: Change): change is RecordChange {
  return change.message.kind === 'record';
}

/** How many lines of a request that failed are on disk for certain. */
function committedOf(error: unknown): number {
  if (!(error instanceof ClientError)) return 0;
  const { committed } = error.problem;
  return typeof committed === 'number' ? committed : 0;
}

function refusal({ line, message }: RecordChange, error: ClientError): CliError {
  const id = JSON.stringify(message.upstreamId);
  return new CliError(
    EXIT.failed,
    `Line ${line}: the record ${id} of stream ${message.stream} is refused: ${reasonOf(error)}`,
  );
}

/** Aborts some time after `signal`. */
function withGrace(signal: AbortSignal): AbortSignal {
  const later = new AbortController();
  signal.addEventListener('abort', () => {
    setTimeout(() => later.abort(signal.reason), GRACE_MS).unref();
  });
  return later.signal;
}
