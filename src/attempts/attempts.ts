import type { Sql } from '../db/db.ts';
import type { ListPlace, ListPage } from '../db/keyset.ts';
import type { Attempt, AttemptOutcome } from '../schema/attempt.ts';
import type { AttemptTrace } from '../schema/attemptTrace.ts';
import type { StreamName } from '../schema/stream.ts';
import {
  cutPage,
  idOf,
  LAST,
  placeBefore,
  placeOf,
  type OfEntry,
  type PastAttempt,
  type PositionInTime,
  type ReadPastAttempts,
} from './attemptPage.ts';
import { attemptsOfBatch } from './batchAttempts.ts';
import { consumerAttempts, SLACK_MS } from './consumerAttempts.ts';
import { attemptsAt, findEvent } from './eventAttempts.ts';

/** Reads attempts, newest first. Senders write them as they commit; attempt retention drops them. */
export interface Attempts {
  /** Lists the attempts of one consumer. */
  list(consumer: Reader, query: AttemptQuery): Promise<ListPage<Attempt>>;
  /** Lists the attempts of all consumers at one event; empty when the event is no longer kept. */
  listEvent(eventId: string, query: AttemptQuery): Promise<ListPage<Attempt>>;
  /** The position of an event; null when it is no longer kept. */
  positionOf(eventId: string): Promise<number | null>;
}

/** The consumer whose attempts are read. */
export interface Reader {
  id: string;
  stream: StreamName;
}

/** Which attempts to list. */
export interface AttemptQuery {
  outcome?: AttemptOutcome | undefined;
  status?: number | undefined;
  /** Unix ms: attempts that started from `since` on and before `until`. */
  since?: number | undefined;
  until?: number | undefined;
  /** Compares `since` to the end of an attempt, so that a caller that follows also gets slow ones. */
  sinceEnd?: boolean;
  eventId?: string | undefined;
  /** The `webhook-id` of a batch. */
  batchId?: string | undefined;
  upstreamId?: string | undefined;
  /** With the trace of each attempt, null where none was kept. */
  withTraces?: boolean;
  limit: number;
  after: ListPlace | null;
}

/** Reads the tables `attempts` and `attempt_batches`. */
export function createAttempts(sql: Sql): Attempts {
  async function list(consumer: Reader, query: AttemptQuery): Promise<ListPage<Attempt>> {
    if (query.eventId !== undefined) return listEvent(query.eventId, query, consumer);
    if (query.batchId !== undefined) {
      const ofBatch = attemptsOfBatch(sql, query.batchId, { consumerId: consumer.id });
      return ofBatch === null ? { data: [], next: null } : page(consumer.stream, query, ofBatch);
    }
    const since = query.since ?? null;
    const read = consumerAttempts(sql, {
      consumerId: consumer.id,
      rowsSince: since !== null && query.sinceEnd === true ? since - SLACK_MS : since,
      batchesSince: since,
      withBatches: mayBeFirstSuccess(query),
    });
    return page(consumer.stream, query, read);
  }

  async function listEvent(
    eventId: string,
    query: AttemptQuery,
    consumer: Reader | null = null,
  ): Promise<ListPage<Attempt>> {
    const event = consumer?.stream === 'records' ? null : await findEvent(sql, eventId);
    if (event === null) return { data: [], next: null };
    const whose = consumer === null ? null : { consumerId: consumer.id };
    const read = attemptsAt(sql, event, whose);
    return page('events', query, read);
  }

  async function page(
    stream: StreamName,
    query: AttemptQuery,
    read: ReadPastAttempts,
  ): Promise<ListPage<Attempt>> {
    const keep = async (chunk: PastAttempt[]): Promise<PastAttempt[]> => {
      const passing = chunk.filter((made) => passes(made, query));
      return query.upstreamId === undefined
        ? passing
        : atRecord(sql, stream, passing, query.upstreamId);
    };
    const { data, next } = await cutPage(startOf(query), query.limit, read, keep);
    return { data: await withTraces(sql, query, await named(sql, stream, data)), next };
  }

  return {
    list,
    listEvent: (eventId, query) => listEvent(eventId, query),
    positionOf: async (eventId) => (await findEvent(sql, eventId))?.position ?? null,
  };
}

/** Keeps the attempts at one record, as long as their entries are in the stream. */
export async function atRecord(
  sql: Sql,
  stream: StreamName,
  chunk: PastAttempt[],
  upstreamId: string,
): Promise<PastAttempt[]> {
  if (chunk.length === 0) return [];
  const { rows } = await sql.query<{ position: number }>({
    text: `select position from ${stream} where position = any ($1::bigint[]) and upstream_id = $2`,
    values: [positionsOf(chunk), upstreamId],
  });
  const found = new Set(rows.map(({ position }) => position));
  return chunk.filter(({ position }) => found.has(position));
}

function positionsOf(made: readonly PastAttempt[]): number[] {
  return [...new Set(made.map(({ position }) => position))];
}

/** Adds to each attempt of a page its trace, null where none was kept, if that was asked for. */
export async function withTraces<A extends Attempt>(
  sql: Sql,
  query: AttemptQuery,
  page: A[],
): Promise<A[]> {
  if (query.withTraces !== true || page.length === 0) return page;
  const times = page.map(({ started_at }) => started_at).sort();
  const { rows } = await sql.query<{ id: string; trace: AttemptTrace }>({
    text: `
      select id, trace from attempts
       where consumer_id = any ($1::uuid[]) and started_at between $2 and $3
         and id = any ($4::uuid[]) and trace is not null`,
    values: [
      [...new Set(page.map(({ consumer_id }) => consumer_id))],
      times[0],
      times.at(-1),
      page.map(({ id }) => id),
    ],
  });
  const traces = new Map(rows.map((row) => [row.id, row.trace]));
  return page.map((one) => ({ ...one, trace: traces.get(one.id) ?? null }));
}

/** Adds what only the stream knows, with one query for the page: the entries' names, and the ids that batches lack. */
export async function named(sql: Sql, stream: StreamName, page: PastAttempt[]): Promise<Attempt[]> {
  const entries = await entriesOf(sql, stream, page);
  return page.map((made) => {
    const { startedAt, at: _, message_id, event_id, ...rest } = made;
    const entry = entries.get(made.position);
    return {
      ...rest,
      id: idOf(made),
      message_id: message_id ?? entry?.message_id ?? `position:${made.position}`,
      event_id: event_id ?? (stream === 'events' ? (entry?.message_id ?? null) : null),
      event: entry?.event ?? null,
      sync_id: entry?.sync_id ?? null,
      collection_id: entry?.collection_id ?? null,
      upstream_id: entry?.upstream_id ?? null,
      trace_id: entry?.trace_id ?? null,
      producer_span_id: entry?.producer_span_id ?? null,
      started_at: new Date(startedAt).toISOString(),
    };
  });
}

/** The place at which a page of the query begins. */
export function startOf({ after, until }: AttemptQuery): PositionInTime {
  const first = until === undefined ? LAST : placeBefore(until);
  if (after === null) return first;
  const place = placeOf(after);
  return place.at < first.at ? place : first;
}

/** Whether an attempt passes the filters that its own fields decide. */
export function passes(
  made: PastAttempt,
  { outcome, status, since, sinceEnd }: AttemptQuery,
): boolean {
  const time = sinceEnd === true ? made.startedAt + made.duration_ms : made.at;
  return (
    (outcome === undefined || made.outcome === outcome) &&
    (status === undefined || made.status === status) &&
    (since === undefined || time >= since)
  );
}

/** Whether a first attempt that succeeded may pass the query. */
export function mayBeFirstSuccess({ outcome, status }: AttemptQuery): boolean {
  return outcome !== 'failed' && (status === undefined || (status >= 200 && status < 300));
}

/** The ids in the trace of an entry, as `streams/entryTrace.ts` stores it. */
const TRACE = `encode(substr(traceparent, 1, 16), 'hex') as trace_id,
             encode(substr(traceparent, 17, 8), 'hex') as producer_span_id`;

/** What a stream says of an entry. */
interface StreamEntry extends Pick<Attempt, OfEntry> {
  position: number;
  message_id: string;
}

/** The entries that the attempts were made at, by position, without those that are no longer kept. Bodies are not read. */
async function entriesOf(
  sql: Sql,
  stream: StreamName,
  made: PastAttempt[],
): Promise<Map<number, StreamEntry>> {
  if (made.length === 0) return new Map();
  const names =
    stream === 'events'
      ? 'event_id as message_id, event'
      : 'version_id as message_id, null as event';
  const { rows } = await sql.query<StreamEntry>({
    text: `
      select position, ${names}, sync_id, collection_id, upstream_id, ${TRACE}
        from ${stream} where position = any ($1::bigint[])`,
    values: [positionsOf(made)],
  });
  return new Map(rows.map((row) => [row.position, row]));
}
