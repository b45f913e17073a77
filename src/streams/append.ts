import type { Logger } from 'pino';

import { openPipe, type Db, type Pipe } from '../db/db.ts';
import { isDatabaseAway, isTimeout } from '../db/errors.ts';
import type { EventsAppended, RecordsAppended } from '../schema/stream.ts';
import type { NewEvent, RecordChange } from './derive.ts';
import { createEventAppend } from './eventAppend.ts';
import { createGroupCommit, type GroupCommit } from './groupCommit.ts';
import { createRecordAppend, type Places, type RecordRequest } from './recordAppend.ts';
import { withPartitions } from './withPartitions.ts';

/** Writes to the two streams, durably and in groups. */
export interface Appender {
  /**
   * Appends record changes and the events derived from them, all or none; resolves once they are on
   * disk. Rejects with `Overloaded` or a database error when they are not, or when Postgres stays away
   * and it cannot be known whether they are. Checkpoints are stored in the same transaction. Rejects with `Fenced`
   * when the fence does not hold.
   */
  records: (changes: RecordChange[], places?: Places) => Promise<RecordsAppended>;
  /** Appends events as they come, likewise all or none; an event whose `eventId` is stored is a duplicate. */
  events: (events: NewEvent[]) => Promise<EventsAppended>;
  /** Refuses further appends, and waits for those that have been accepted. */
  close(): Promise<void>;
}

/** An append that was not stored because too many wait or Postgres is too slow; it may be repeated. */
export class Overloaded extends Error {
  override name = 'Overloaded';
}

export interface AppenderOptions {
  /** Creates partitions that are missing. */
  db: Db;
  url: string;
  /** How long an append waits at most for a connection, ms; as long as any query unless given. */
  connectMs?: number;
  log: Pick<Logger, 'warn'>;
}

const GROUP = { maxRows: 5_000, maxBytes: 4 * 1024 * 1024 };
const QUEUE = { maxQueuedBytes: 64 * 1024 * 1024, maxWaitMs: 10_000 };
const STATEMENT_TIMEOUT_MS = 15_000;
/** How long an append whose connection broke during its commit looks up whether it was committed, ms. */
const DOUBT = { doubtMs: 5_000, retryMs: 100 };

/** Creates an appender: requests that arrive while a group commits form the next group, with one commit. */
export function createAppender(options: AppenderOptions): Appender {
  const { db, log } = options;
  const closing = new AbortController();
  const doubt = { ...DOUBT, signal: closing.signal };
  const pipes = { records: open(options), events: open(options) };
  const records = group(createRecordAppend({ pipe: pipes.records, doubt }), weighRecords);
  const events = group(createEventAppend({ pipe: pipes.events, doubt }), weigh);

  function group<Request, Answer>(
    append: (requests: Request[]) => Promise<Answer[]>,
    weighed: (request: Request) => { rows: number; bytes: number },
  ): GroupCommit<Request, Answer> {
    const commit = (requests: Request[]): Promise<Answer[]> =>
      withPartitions(db, () => append(requests));
    return createGroupCommit({
      ...GROUP,
      ...QUEUE,
      refusal,
      weigh: weighed,
      commit: (requests: Request[]) => settle(requests, commit, log),
    });
  }

  async function close(): Promise<void> {
    const flushed = Promise.all([records.close(), events.close()]);
    closing.abort();
    await flushed;
    await Promise.all([pipes.records.close(), pipes.events.close()]);
  }

  return {
    records: (changes, places) => records.add({ changes, ...places }),
    events: events.add,
    close,
  };
}

function open({ url, connectMs, log }: AppenderOptions): Pipe {
  return openPipe({
    url,
    ...(connectMs === undefined ? {} : { connectMs }),
    applicationName: 'millrace append',
    statementTimeoutMs: STATEMENT_TIMEOUT_MS,
    onError: (err) => log.warn({ err }, 'the append connection was lost'),
  });
}

/** Commits a group; if it was rolled back, each request is tried alone, so that only a bad one fails. */
async function settle<Request, Answer>(
  requests: Request[],
  commit: (requests: Request[]) => Promise<Answer[]>,
  log: AppenderOptions['log'],
): Promise<PromiseSettledResult<Answer>[]> {
  try {
    const answers = await commit(requests);
    return answers.map((value) => ({ status: 'fulfilled', value }));
  } catch (error) {
    const reason = isTimeout(error) ? refusal(error) : error;
    if (requests.length === 1 || isDatabaseAway(reason) || reason !== error) {
      return requests.map(() => ({ status: 'rejected', reason }));
    }
    log.warn(
      { err: reason, requests: requests.length },
      'a group append failed; trying each request',
    );
    const results: PromiseSettledResult<Answer>[] = [];
    for (const request of requests) results.push(...(await settle([request], commit, log)));
    return results;
  }
}

function weigh(rows: { data: string | null; changes?: string | null }[]): {
  rows: number;
  bytes: number;
} {
  const bytes = rows.reduce(
    (sum, row) => sum + 500 + (row.data?.length ?? 0) + (row.changes?.length ?? 0),
    0,
  );
  return { rows: rows.length, bytes };
}

function weighRecords({ changes, checkpoints = [] }: RecordRequest): {
  rows: number;
  bytes: number;
} {
  const { rows, bytes } = weigh(changes);
  return { rows, bytes: checkpoints.reduce((sum, { value }) => sum + value.length, bytes) };
}

function refusal(cause?: unknown): Overloaded {
  return new Overloaded(
    'Too many appends are waiting for Postgres; it is safe to send the same request again',
    {
      cause,
    },
  );
}
