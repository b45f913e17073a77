import type { Sql } from '../db/db.ts';
import type { ListPage } from '../db/keyset.ts';
import type { Attempt, TargetAttempt } from '../schema/attempt.ts';
import type { StreamName } from '../schema/stream.ts';
import {
  cutPage,
  idOf,
  placeBefore,
  type PastAttempt,
  type ReadPastAttempts,
} from './attemptPage.ts';
import {
  atRecord,
  mayBeFirstSuccess,
  named,
  passes,
  startOf,
  withTraces,
  type AttemptQuery,
} from './attempts.ts';
import { attemptsOfBatch } from './batchAttempts.ts';
import { consumerAttempts, SLACK_MS } from './consumerAttempts.ts';
import { attemptsAt, findEvent } from './eventAttempts.ts';

/** Reads the attempts of all consumers that send to a target. */
export interface TargetAttempts {
  /** Newest first, those of the consumers that the target has now; each names its consumer. */
  list(targetId: string, query: AttemptQuery): Promise<ListPage<TargetAttempt>>;
}

const STREAMS: readonly StreamName[] = ['events', 'records'];

/** Reads the tables `attempts` and `attempt_batches` for all consumers of a target in one statement each. */
export function createTargetAttempts(sql: Sql): TargetAttempts {
  return {
    list: async (targetId, query) => {
      const read = await readerOf(sql, targetId, query);
      if (read === null) return { data: [], next: null };
      const makers = new Map<string, Maker>();
      const keep = async (chunk: PastAttempt[]): Promise<PastAttempt[]> => {
        const passing = chunk.filter((made) => passes(made, query));
        await addMakers(sql, makers, passing);
        const theirs = passing.filter((one) => makers.get(one.consumer_id)?.target_id === targetId);
        const { upstreamId } = query;
        if (upstreamId === undefined) return theirs;
        const found = STREAMS.map((stream) =>
          atRecord(sql, stream, theirs.filter(isOf(stream, makers)), upstreamId),
        );
        const kept = new Set((await Promise.all(found)).flat());
        return theirs.filter((one) => kept.has(one));
      };
      const { data, next } = await cutPage(startOf(query), query.limit, read, keep);
      const all = await withNames(sql, data, makers);
      return { data: await withTraces(sql, query, all), next };
    },
  };
}

/** Null when there is nothing to read. */
async function readerOf(
  sql: Sql,
  targetId: string,
  query: AttemptQuery,
): Promise<ReadPastAttempts | null> {
  if (query.eventId !== undefined) {
    const event = await findEvent(sql, query.eventId);
    return event === null ? null : attemptsAt(sql, event, { targetId });
  }
  if (query.batchId !== undefined) return attemptsOfBatch(sql, query.batchId, { targetId });
  const oldest = await oldestOf(sql, targetId);
  if (oldest === null) return null;
  return inWindows(sql, {
    targetId,
    since: Math.max(oldest, query.since ?? -Infinity),
    withBatches: mayBeFirstSuccess(query),
  });
}

const FIRST_WINDOW_MS = 60_000;
const WIDER = 4;

/**
 * Reads the attempts window by window of time, each wider than the one before it while it holds too few. So it
 * costs a look at each consumer's index for each window, but never more of the past than a page needs.
 */
function inWindows(
  sql: Sql,
  options: { targetId: string; since: number; withBatches: boolean },
): ReadPastAttempts {
  const { targetId, since, withBatches } = options;
  let span = FIRST_WINDOW_MS;
  return async (before, size) => {
    const found: PastAttempt[] = [];
    let place = before;
    for (;;) {
      const from = Math.max(since, Math.min(place.at, Date.now()) - span);
      const window = {
        targetId,
        rowsSince: from,
        batchesSince: from,
        withBatches,
      };
      const { made } = await consumerAttempts(sql, window)(place, size - found.length);
      // A batch of this window may begin below it, where others of that time are not read yet.
      found.push(...made.filter(({ at }) => at >= from));
      if (found.length >= size) return { made: found, end: false };
      if (from <= since) return { made: found, end: true };
      span *= WIDER;
      place = placeBefore(from);
    }
  };
}

/** Unix ms before which no consumer of the target can have tried anything; null when it has none. */
async function oldestOf(sql: Sql, targetId: string): Promise<number | null> {
  const { rows } = await sql.query<{ at: string }>({
    text: `
      select created_at as at from consumers
       where target_id = $1 and deleted_at is null
       order by created_at, id limit 1`,
    values: [targetId],
  });
  return rows[0] === undefined ? null : Date.parse(rows[0].at) - SLACK_MS;
}

interface Maker {
  id: string;
  name: string;
  stream: StreamName;
  target_id: string;
}

/** Looks up the consumers of the attempts that are not known yet; deleted ones stay unknown. */
async function addMakers(
  sql: Sql,
  makers: Map<string, Maker>,
  made: readonly PastAttempt[],
): Promise<void> {
  const ids = new Set(made.map(({ consumer_id }) => consumer_id));
  const unknown = [...ids].filter((id) => !makers.has(id));
  if (unknown.length === 0) return;
  const { rows } = await sql.query<Maker>({
    text: `
      select id, name, stream, target_id from consumers
       where id = any ($1::uuid[]) and deleted_at is null`,
    values: [unknown],
  });
  for (const row of rows) makers.set(row.id, row);
}

function isOf(stream: StreamName, makers: ReadonlyMap<string, Maker>) {
  return ({ consumer_id }: PastAttempt): boolean => makers.get(consumer_id)?.stream === stream;
}

/** Adds the names of the consumers, and the ids that only the streams have. */
async function withNames(
  sql: Sql,
  page: PastAttempt[],
  makers: ReadonlyMap<string, Maker>,
): Promise<TargetAttempt[]> {
  const byStream = await Promise.all(
    STREAMS.map((stream) => named(sql, stream, page.filter(isOf(stream, makers)))),
  );
  const byId = new Map(byStream.flat().map((one): [string, Attempt] => [one.id, one]));
  return page.flatMap((made) => {
    const one = byId.get(idOf(made));
    const name = makers.get(made.consumer_id)?.name;
    return one === undefined || name === undefined ? [] : [{ ...one, consumer_name: name }];
  });
}
