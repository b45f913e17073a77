import type { Db, Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import { Refusal, refuseField } from '../db/refusal.ts';
import { newSeed, type Seed } from '../db/seed.ts';
import type { Command } from '../rules/command.ts';
import type { Consumer, ConsumerInput, ConsumerStatus, Start } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { openCursor } from '../streams/cursor.ts';
import { createPages } from '../streams/pages.ts';
import { insertConsumer } from './consumerRows.ts';
import {
  countLag,
  lagOfRow,
  selectConsumers,
  toConsumer,
  type ConsumerRow,
  type ViewSettings,
} from './consumerView.ts';

/** Saved subscriptions, as the API creates and shows them. After the insert their workflows alone write them. */
export interface Consumers {
  /**
   * Stores it with its start resolved to a position in the same transaction; returns its id. Of the
   * same making it is the same one, which is left as it is now; refuses (409) one that was deleted since.
   */
  create(input: ConsumerInput, actor: string, making?: Seed): Promise<string>;
  get(id: string): Promise<Consumer | null>;
  /** Newest first. */
  list(query: ConsumerQuery): Promise<ListPage<Consumer>>;
  /** The stream it reads; null when there is no such consumer. */
  streamOf(id: string): Promise<StreamName | null>;
  /** Refuses (422) the id of a target that isn't there. */
  needTarget(id: string): Promise<void>;
  /** The position of a cursor; refuses (422, at `pointer`) one of another stream or outside of what is kept. */
  openPlace(stream: StreamName, cursor: string, pointer: string): Promise<number>;
  /** Keeps a command that is too large for a workflow's history; returns its id. */
  storeCommand(command: Command): Promise<string>;
}

export interface ConsumerQuery {
  /** Part of the name, the id or the target's name, in any case. */
  q?: string | undefined;
  status?: ConsumerStatus | undefined;
  targetId?: string | undefined;
  limit: number;
  after: ListPlace | null;
}

export interface ConsumersDeps extends ViewSettings {
  db: Db;
  region: string;
}

export function createConsumers(deps: ConsumersDeps): Consumers {
  const { db } = deps;
  const pages = createPages(db);

  async function get(id: string): Promise<Consumer | null> {
    const { rows } = await db.query<ConsumerRow>({
      text: selectConsumers('select * from consumers where id = $1 and deleted_at is null'),
      values: [id],
    });
    const row = rows[0];
    return row === undefined ? null : toConsumer(row, await countLag(db, pages, row), deps);
  }

  async function list(query: ConsumerQuery): Promise<ListPage<Consumer>> {
    const { rows } = await db.query<ConsumerRow>(listQuery(query));
    const page = toPage(rows, query.limit, (row) => ({ at: row.created_at, id: row.id }));
    return {
      ...page,
      data: page.data.map((row) => toConsumer(row, lagOfRow(row), deps)),
    };
  }

  return {
    create: (input, actor, { id } = newSeed()) =>
      db.transaction(async (tx) => {
        if (await isMade(tx, id)) return id;
        await needTarget(tx, input.target_id);
        const position = await startPosition(tx, input.stream, input.start);
        await insertConsumer(tx, { id, input, region: deps.region, position, actor });
        return id;
      }),
    get,
    list,
    streamOf: (id) => streamOf(db, id),
    needTarget: (id) => needTarget(db, id),
    openPlace: async (stream, cursor, pointer) =>
      openPlace(cursor, stream, await endsOf(db, stream), pointer),
    storeCommand: (command) => storeCommand(db, command),
  };
}

/** A page of consumers: walks `consumers_newest` from the key on and stops at the limit. */
export function listQuery(query: ConsumerQuery): { text: string; values: unknown[] } {
  const values: unknown[] = [query.limit + 1];
  const conditions = ['deleted_at is null'];
  const bind = (value: unknown): string => `$${values.push(value)}`;
  if (query.after !== null) {
    conditions.push(
      `(created_at, id) < (${bind(query.after.at)}::timestamptz, ${bind(query.after.id)}::uuid)`,
    );
  }
  if (query.q !== undefined) {
    const pattern = `%${query.q.replaceAll(/[\\%_]/gu, String.raw`\$&`)}%`;
    const like = `ilike ${bind(pattern)}`;
    const any = [`name ${like}`, `target_id in (select id from targets where name ${like})`];
    if (/^[\da-f-]+$/iu.test(query.q)) any.push(`id::text ${like}`); // or it is in no id
    conditions.push(`(${any.join(' or ')})`);
  }
  if (query.status !== undefined) conditions.push(`status = ${bind(query.status)}`);
  if (query.targetId !== undefined) conditions.push(`target_id = ${bind(query.targetId)}`);
  return {
    text: selectConsumers(`
      select * from consumers
       where ${conditions.join(' and ')}
       order by created_at desc, id desc
       limit $1`),
    values,
  };
}

/** Looked up first: what it was made with, its target or its place in the stream, may be gone since. */
async function isMade(tx: Sql, id: string): Promise<boolean> {
  const { rows } = await tx.query<{ deleted: boolean }>({
    text: 'select deleted_at is not null as deleted from consumers where id = $1',
    values: [id],
  });
  if (rows[0]?.deleted === true) {
    const detail = `Consumer ${id} was made by this request before, and deleted since`;
    throw new Refusal({ status: 409, code: 'deleted_since', detail });
  }
  return rows.length > 0;
}

async function startPosition(tx: Sql, stream: StreamName, start: Start): Promise<number> {
  const ends = await endsOf(tx, stream);
  if (start === 'end') return ends.last;
  if (start === 'beginning') return ends.first - 1;
  if ('time' in start) return createPages(tx).positionAtTime(stream, start.time);
  return openPlace(start.cursor, stream, ends, '/start/cursor');
}

/** The first position that is kept and the last one handed out. */
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
    throw refuseField(pointer, 'is older than what is kept; "beginning" is the oldest place left');
  }
  if (position > ends.last) throw refuseField(pointer, `is beyond the end of the ${stream} stream`);
  return position;
}

async function needTarget(sql: Sql, id: string): Promise<void> {
  const { rowCount } = await sql.query({
    text: 'select 1 from targets where id = $1 for key share',
    values: [id],
  });
  if (rowCount === 0) throw refuseField('/target_id', `names no target: there is no ${id}`);
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
