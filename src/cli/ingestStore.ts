import { ClientError } from '../api/client.ts';
import type { RecordsAppended } from '../schema/stream.ts';
import { PartlyStored, type Change } from '../sources/messages/pump.ts';
import type { Context } from './context.ts';
import { CliError, EXIT } from './exit.ts';
import { reasonOf } from './importPart.ts';
import { patiently } from './patience.ts';

/** How long an append that was sent before an interruption may still take to be answered, ms. */
const GRACE_MS = 10_000;

/** Stores the changes of an ingest. */
export interface IngestStore {
  store(changes: readonly Change[]): Promise<void>;
  /** What was answered so far. */
  counts(): Record<'created' | 'updated' | 'deleted' | 'unchanged', number>;
}

/**
 * Appends changes to the records stream. Storing resolves when all are on the server's disk; it waits up to a
 * minute for an API that is away. When the API refuses one of them, it rejects with a `PartlyStored` whose cause
 * names its line; what comes before it is stored.
 */
export function createIngestStore(options: {
  context: Context;
  sync: string;
  collectionOf: (stream: string) => string;
}): IngestStore {
  const { context, sync, collectionOf } = options;
  const signal = withGrace(context.signal);
  const counts = { created: 0, updated: 0, deleted: 0, unchanged: 0 };
  const heads = new Map<string, string>();

  function headOf(stream: string): string {
    const known = heads.get(stream);
    if (known !== undefined) return known;
    const ids = [sync, collectionOf(stream)].map((one) => JSON.stringify(one));
    const head = `{"sync_id":${ids[0]},"collection_id":${ids[1]},"upstream_id":`;
    heads.set(stream, head);
    return head;
  }

  function textOf({ record }: Change): string {
    const head = `${headOf(record.stream)}${JSON.stringify(record.upstreamId)}`;
    return record.deleted ? `${head},"deleted":true}` : `${head},"data":${record.data}}`;
  }

  function add(answer: RecordsAppended): void {
    for (const name of Object.keys(counts) as (keyof typeof counts)[]) counts[name] += answer[name];
  }

  async function store(changes: readonly Change[]): Promise<void> {
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
      throw new PartlyStored(
        stored,
        error.code === 'invalid_line' ? refusal(refused, error) : error,
      );
    }
  }

  return { store, counts: () => counts };
}

/** How many lines of a request that failed are on disk for certain. */
function committedOf(error: unknown): number {
  if (!(error instanceof ClientError)) return 0;
  const { committed } = error.problem;
  return typeof committed === 'number' ? committed : 0;
}

function refusal({ line, record }: Change, error: ClientError): CliError {
  const id = JSON.stringify(record.upstreamId);
  return new CliError(
    EXIT.failed,
    `Line ${line}: the record ${id} of stream ${record.stream} is refused: ${reasonOf(error)}`,
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
