import { setTimeout } from 'node:timers/promises';

import type { Logger } from 'pino';

import { openPipe, type Db, type Pipe } from '../db/db.ts';
import { isDatabaseAway, isTimeout, isPartitionMissing, isOutOfRoom } from '../db/errors.ts';
import { newId } from '../db/ids.ts';
import { ensurePartitions } from '../db/partitions.ts';
import type { EventsAppended, RecordsAppended } from '../schema/stream.ts';
import {
  insertEvents,
  lockLine,
  selectEventIds,
  selectRecords,
  upsertRecords,
  type EventsInserted,
} from './appendSql.ts';
import {
  derive,
  type Derived,
  type NewEvent,
  type RecordChange,
  type RecordState,
} from './derive.ts';
import { createGroupCommit } from './groupCommit.ts';

export interface Appender {
  /**
   * Appends record changes and the events they derive to, all or none; resolves when they are on
   * disk. Rejects with `Overloaded` or a database error when they are not, or when it can't be
   * known because Postgres stays away.
   */
  records: (changes: RecordChange[]) => Promise<RecordsAppended>;
  /** The same for events that come as they are; an `eventId` that is known already is a duplicate. */
  events: (events: NewEvent[]) => Promise<EventsAppended>;
  /** Waits for what has been taken. */
  close(): Promise<void>;
}

/** An append that was not taken, because too many wait or Postgres is too slow; it may be repeated. */
export class Overloaded extends Error {
  override name = 'Overloaded';
}

export interface AppenderOptions {
  /** For partitions that are missing. */
  db: Db;
  url: string;
  log: Pick<Logger, 'warn'>;
}

const GROUP = { maxRows: 5_000, maxBytes: 4 * 1024 * 1024 };
const QUEUE = { maxQueuedBytes: 64 * 1024 * 1024, maxWaitMs: 10_000 };
const STATEMENT_TIMEOUT_MS = 15_000;
/** How long an append whose connection broke during its commit looks for what became of it. */
const DOUBT_MS = 5_000;
const RETRY_MS = 100;

/** Group append: what arrives while the last group commits is the next group, one commit for all. */
export function createAppender({ db, url, log }: AppenderOptions): Appender {
  const onError = (err: Error): void => log.warn({ err }, 'the append connection was lost');
  const open = (): Pipe =>
    openPipe({
      url,
      applicationName: 'millrace append',
      statementTimeoutMs: STATEMENT_TIMEOUT_MS,
      onError,
    });
  const recordsPipe = open();
  const eventsPipe = open();
  const closing = new AbortController();
  let end = 0; // of the events stream, as far as this process knows

  const records = createGroupCommit({
    ...GROUP,
    ...QUEUE,
    refusal,
    weigh: (changes: RecordChange[]) => weigh(changes),
    commit: (requests) => settle(requests, commitRecords),
  });
  const events = createGroupCommit({
    ...GROUP,
    ...QUEUE,
    refusal,
    weigh: (list: NewEvent[]) => weigh(list),
    commit: (requests) => settle(requests, commitEvents),
  });

  /** A group that was rolled back is retried request by request, so that a bad one fails alone. */
  async function settle<Request, Answer>(
    requests: Request[],
    commit: (requests: Request[]) => Promise<Answer[]>,
  ): Promise<PromiseSettledResult<Answer>[]> {
    try {
      const answers = await withPartitions(() => commit(requests));
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
      for (const request of requests) results.push(...(await settle([request], commit)));
      return results;
    }
  }

  async function withPartitions<T>(work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (!isPartitionMissing(error)) throw error;
      await ensurePartitions(db);
      return work();
    }
  }

  async function commitEvents(requests: NewEvent[][]): Promise<EventsAppended[]> {
    const all = requests.flat();
    const before = end;
    await eventsPipe.ready();
    const positions = await surely(
      async () => {
        const { rows } = await eventsPipe.query<EventsInserted>(insertEvents(all));
        const { base, fresh } = rows[0]!;
        end = Math.max(end, base + all.length);
        const isNew = fresh === null ? null : new Set(fresh);
        return all.map((_, index) => {
          const position = base + index + 1;
          return isNew === null || isNew.has(position) ? position : null;
        });
      },
      async () => {
        const found = await lookUp(
          eventsPipe,
          all.map(({ eventId }) => eventId),
        );
        // A commit enters every id. One above the end that we knew of was entered since.
        if (all.some(({ eventId }) => !found.has(eventId))) return null;
        end = Math.max(end, ...found.values());
        return all.map(({ eventId }) => {
          const position = found.get(eventId)!;
          return position > before ? position : null;
        });
      },
    );
    return toEventAnswers(requests, positions, end);
  }

  async function commitRecords(requests: RecordChange[][]): Promise<RecordsAppended[]> {
    let base = 0;
    let derived: Derived | null = null; // what was being committed when the connection broke
    await recordsPipe.ready();
    return surely(
      async () => {
        derived = null;
        await recordsPipe.exchange(
          [lockLine('records'), selectRecords(requests.flat())],
          (results) => {
            base = results[0]!.rows[0].last_position;
            derived = derive(results[1]!.rows.map(toState), requests, newId);
            return derived.records.length === 0
              ? []
              : [upsertRecords(derived.records), insertEvents(derived.events)];
          },
        );
        return toRecordAnswers(derived!, base);
      },
      async () => {
        const first = derived?.events[0];
        if (first === undefined) return null;
        const found = await lookUp(recordsPipe, [first.eventId]);
        return found.has(first.eventId) ? toRecordAnswers(derived!, base) : null;
      },
    );
  }

  /**
   * Runs `write`. When the connection breaks it is unknown whether Postgres committed, so `find`
   * looks for what was written first, and `write` runs again only when nothing was.
   */
  async function surely<T>(write: () => Promise<T>, find: () => Promise<T | null>): Promise<T> {
    const until = performance.now() + DOUBT_MS;
    let next: () => Promise<T | null> = write;
    for (;;) {
      try {
        const answer = await next();
        if (answer !== null) return answer;
        next = write;
      } catch (error) {
        if (!isDatabaseAway(error) || performance.now() > until || closing.signal.aborted)
          throw error;
        if (next === write && isOutOfRoom(error)) throw error; // rolled back, for sure
        next = find;
        await setTimeout(RETRY_MS, undefined, { signal: closing.signal }).catch(() => {
          throw error; // closing: whoever waits must know that it is not known
        });
      }
    }
  }

  async function close(): Promise<void> {
    const flushed = Promise.all([records.close(), events.close()]);
    closing.abort();
    await flushed;
    await Promise.all([recordsPipe.close(), eventsPipe.close()]);
  }

  return { records: records.add, events: events.add, close };
}

/** Waits for a commit that may still be under way, then says which ids are entered, and where. */
async function lookUp(pipe: Pipe, ids: string[]): Promise<Map<string, number>> {
  const [, found] = await pipe.transaction([lockLine('events'), selectEventIds(ids)]);
  return new Map(found!.rows.map((row) => [row.event_id, row.position]));
}

function toEventAnswers(
  requests: NewEvent[][],
  positions: (number | null)[],
  end: number,
): EventsAppended[] {
  let start = 0;
  return requests.map((request) => {
    const own = positions.slice(start, start + request.length);
    start += request.length;
    const taken = own.filter((position) => position !== null);
    return {
      accepted: taken.length,
      duplicates: own.length - taken.length,
      position: taken.at(-1) ?? end,
    };
  });
}

function toRecordAnswers({ records, counts }: Derived, base: number): RecordsAppended[] {
  return counts.map(({ created, updated, deleted, unchanged, last }) => ({
    accepted: created + updated + deleted + unchanged,
    created,
    updated,
    deleted,
    unchanged,
    position: base + (last < 0 ? records.length : last + 1),
  }));
}

function toState(row: Record<string, unknown>): RecordState {
  return {
    syncId: row['sync_id'] as string,
    collectionId: row['collection_id'] as string,
    upstreamId: row['upstream_id'] as string,
    data: row['data'] as string,
    deleted: row['deleted'] as boolean,
    upstreamCreatedAt: row['upstream_created_at'] as string | null,
    upstreamUpdatedAt: row['upstream_updated_at'] as string | null,
  };
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

function refusal(cause?: unknown): Overloaded {
  return new Overloaded('Too many appends wait for Postgres; the same request may be repeated', {
    cause,
  });
}
