import type { Db, Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { toPage, type ListPage } from '../db/keyset.ts';
import { Refusal, refuseField } from '../db/refusal.ts';
import { newSeed, type Seed } from '../db/seed.ts';
import type { Command } from '../rules/command.ts';
import type { Consumer, ConsumerInput, Start } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { openCursor } from '../streams/cursor.ts';
import { createPages } from '../streams/pages.ts';
import { countWaiting, NOTHING_WAITS } from '../streams/waiting.ts';
import {
  countQuery,
  listQuery,
  newestRanks,
  rankedQuery,
  type ConsumerFilter,
  type ConsumerQuery,
  type RankedQuery,
} from './consumerQuery.ts';
import { insertConsumer } from './consumerRows.ts';
import {
  newConsumerRow,
  readerOf,
  selectConsumers,
  toConsumer,
  type ConsumerRow,
  type ViewSettings,
} from './consumerView.ts';
import type { RankedPlace } from './rankedPlace.ts';

/** Consumers as the API creates and shows them. Once one is created, only its workflow writes its row. */
export interface Consumers {
  /**
   * Creates a consumer, whose start is resolved to a position, and returns it. It is served from then on; its
   * workflow is started by the leader. If the same seed has created it before, it is left as it is; refuses
   * (409) if it was deleted since.
   */
  create(input: ConsumerInput, actor: string, making?: Seed): Promise<Consumer>;
  get(id: string): Promise<Consumer | null>;
  /** A page of the consumers that match, newest first. */
  list(query: ConsumerQuery): Promise<ListPage<Consumer>>;
  /** A page of them by rank: those first that have most of what `by` says. Consumers of equal rank are newest first. */
  listRanked(query: RankedQuery): Promise<RankedPage>;
  /** How many consumers match. */
  count(filter: ConsumerFilter): Promise<number>;
  /** The stream that a consumer reads; null when it does not exist. */
  streamOf(id: string): Promise<StreamName | null>;
  /** Refuses (422) the id of a target that does not exist. */
  needTarget(id: string): Promise<void>;
  /**
   * The position of a cursor; refuses (422, at `pointer`) one of the other stream or outside the entries that
   * are kept.
   */
  openPlace(stream: StreamName, cursor: string, pointer: string): Promise<number>;
  /** Stores a command that is too large for a workflow's history; returns its id. */
  storeCommand(command: Command): Promise<string>;
}

/** A page of a list by rank. */
export interface RankedPage {
  data: Consumer[];
  /** Where the next page begins; null at the end. */
  next: RankedPlace | null;
}

export interface ConsumersDeps extends ViewSettings {
  db: Db;
  region: string;
}

/** Creates the store of consumers. */
export function createConsumers(deps: ConsumersDeps): Consumers {
  const { db } = deps;

  async function get(id: string): Promise<Consumer | null> {
    const { rows } = await db.query<ConsumerRow>({
      text: selectConsumers('select * from consumers where id = $1 and deleted_at is null'),
      values: [id],
    });
    const [consumer = null] = await toConsumers(rows);
    return consumer;
  }

  /** Usually one statement, because many are created one after another. */
  async function create(
    input: ConsumerInput,
    actor: string,
    { id } = newSeed(),
  ): Promise<Consumer> {
    const { region } = deps;
    const { stream, start } = input;
    // A repeated request first looks for what it has created before, because its start may not exist any more.
    if (typeof start !== 'string' && (await isMade(db, id))) return created(id);
    const place = typeof start === 'string' ? start : await positionOf(db, stream, start);
    const row = await insertConsumer(db, { id, input, region, place, actor });
    if (row === null && !(await isMade(db, id))) await needTarget(db, input.target_id);
    if (row === null || row.position < row.last_position) return created(id);
    const view = newConsumerRow({ id, input, region }, row);
    return toConsumer(view, NOTHING_WAITS, deps);
  }

  async function created(id: string): Promise<Consumer> {
    const consumer = await get(id);
    if (consumer === null) throw deletedSince(id);
    return consumer;
  }

  async function list(query: ConsumerQuery): Promise<ListPage<Consumer>> {
    const { rows } = await db.query<ConsumerRow>(listQuery(query));
    const page = toPage(rows, query.limit, (row) => ({ at: row.created_at, id: row.id }));
    return { ...page, data: await toConsumers(page.data) };
  }

  async function listRanked(query: RankedQuery): Promise<RankedPage> {
    const { by, limit, after } = query;
    const asOf = after?.asOf ?? (await newestRanks(db, by));
    const { rows } = await db.query<ConsumerRow>(rankedQuery(query, asOf));
    const shown = rows.slice(0, limit);
    const last = shown.at(-1);
    const next =
      last === undefined || rows.length <= limit
        ? null
        : { by, asOf, rank: Number(last.place), id: last.id };
    return { data: await toConsumers(shown), next };
  }

  async function count(filter: ConsumerFilter): Promise<number> {
    const { rows } = await db.query<{ total: number }>(countQuery(filter));
    return rows[0]?.total ?? 0;
  }

  async function toConsumers(rows: ConsumerRow[]): Promise<Consumer[]> {
    const lags = await countWaiting(db, rows.map(readerOf));
    return rows.map((row, index) => toConsumer(row, lags[index] ?? NOTHING_WAITS, deps));
  }

  return {
    create,
    get,
    list,
    listRanked,
    count,
    streamOf: (id) => streamOf(db, id),
    needTarget: (id) => needTarget(db, id),
    openPlace: async (stream, cursor, pointer) =>
      openPlace(cursor, stream, await endsOf(db, stream), pointer),
    storeCommand: (command) => storeCommand(db, command),
  };
}

/** Whether the consumer exists; refuses (409) when it has been deleted since. */
async function isMade(sql: Sql, id: string): Promise<boolean> {
  const { rows } = await sql.query<{ deleted: boolean }>({
    text: 'select deleted_at is not null as deleted from consumers where id = $1',
    values: [id],
  });
  if (rows[0]?.deleted === true) throw deletedSince(id);
  return rows.length > 0;
}

function deletedSince(id: string): Refusal {
  const detail = `This request created consumer ${id} earlier, and that consumer has been deleted since`;
  return new Refusal({ status: 409, code: 'deleted_since', detail });
}

async function positionOf(
  sql: Sql,
  stream: StreamName,
  start: Exclude<Start, string>,
): Promise<number> {
  if ('time' in start) return createPages(sql).positionAtTime(stream, start.time);
  return openPlace(start.cursor, stream, await endsOf(sql, stream), '/start/cursor');
}

/** The first position that is kept and the last one that was assigned. */
interface Ends {
  first: number;
  last: number;
}

async function endsOf(sql: Sql, stream: StreamName): Promise<Ends> {
  const { rows } = await sql.query<Ends>({
    text: 'select first_position as first, last_position as last from streams where name = $1',
    values: [stream],
  });
  if (rows[0] === undefined) throw new Error(`there is no stream ${stream}`);
  return rows[0];
}

function openPlace(cursor: string, stream: StreamName, ends: Ends, pointer: string): number {
  const position = openCursor(cursor, stream, pointer);
  if (position < ends.first - 1) {
    throw refuseField(
      pointer,
      'is older than the retention; "beginning" is the oldest place that is kept',
    );
  }
  if (position > ends.last) throw refuseField(pointer, `is beyond the end of the ${stream} stream`);
  return position;
}

/** Throws a `Refusal` (422) unless the target exists; in a transaction, it then exists until its end. */
export async function needTarget(sql: Sql, id: string): Promise<void> {
  const { rowCount } = await sql.query({
    text: 'select 1 from targets where id = $1 for key share',
    values: [id],
  });
  if (rowCount === 0)
    throw refuseField('/target_id', `must be the id of a target; there is no target ${id}`);
}

async function streamOf(sql: Sql, id: string): Promise<StreamName | null> {
  const { rows } = await sql.query<{ stream: StreamName }>({
    text: 'select stream from consumers where id = $1 and deleted_at is null',
    values: [id],
  });
  return rows[0]?.stream ?? null;
}

async function storeCommand(sql: Sql, command: Command): Promise<string> {
  const id = newId();
  await sql.query({
    text: 'insert into stored_edits (id, edit) values ($1, $2)',
    values: [id, JSON.stringify(command)],
  });
  return id;
}
