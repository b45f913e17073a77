import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { ProtocolError } from '../../src/sources/postgres/byteReader.ts';
import {
  createColumnTypes,
  toTypeRow,
  TYPES_SQL,
  type TypesSqlRow,
} from '../../src/sources/postgres/columnType.ts';
import { parseLsn, type Lsn } from '../../src/sources/postgres/lsn.ts';
import {
  decodeMessage,
  UNCHANGED,
  type LogMessage,
  type Relation,
} from '../../src/sources/postgres/pgoutput.ts';
import { rowChanges, type Change } from '../../src/sources/postgres/rowChange.ts';
import { tableShape } from '../../src/sources/postgres/tableShape.ts';
import {
  openSourcePostgres,
  type SourcePostgres,
  type SourceSession,
} from '../support/sourcePostgres.ts';

let postgres: SourcePostgres;
let session: SourceSession;

beforeAll(async () => {
  postgres = await openSourcePostgres();
  session = await postgres.connect();
});
afterAll(async () => {
  await session[Symbol.asyncDispose]();
  await postgres[Symbol.asyncDispose]();
});

interface Logged {
  lsn: Lsn;
  payload: Buffer;
  message: LogMessage;
}

/** What the log has of some statements, from a slot that is there only for them. */
async function logged(tables: string, ...statements: string[]): Promise<Logged[]> {
  await session.run(
    `create publication p for table ${tables}`,
    `select pg_create_logical_replication_slot('s', 'pgoutput')`,
  );
  try {
    await session.run(...statements);
    const rows = await session.rows(
      `select lsn, data from pg_logical_slot_get_binary_changes('s', null, null,
         'proto_version', '1', 'publication_names', 'p', 'messages', 'true')`,
    );
    return rows.map(([at = '', data = '']) => {
      const lsn = parseLsn(at ?? '');
      const payload = Buffer.from((data ?? '').slice(2), 'hex');
      return { lsn, payload, message: decodeMessage(payload, lsn) };
    });
  } finally {
    await session.run(`select pg_drop_replication_slot('s')`, 'drop publication p');
  }
}

/** The changes of records that these messages are, of tables whose keys are given. */
async function changesOf(log: Logged[], keys: Record<string, string[]>): Promise<Change[]> {
  const types = createColumnTypes();
  const relations = new Map<number, Relation>();
  const changes: Change[] = [];
  for (const { message } of log) {
    if (message.kind === 'relation') {
      relations.set(message.relation.id, message.relation);
      const missing = types.missing(message.relation.columns.map(({ typeId }) => typeId));
      const { rows } = await session.client.query<TypesSqlRow>(TYPES_SQL, [missing]);
      types.add(missing, rows.map(toTypeRow));
    }
    if (message.kind !== 'insert' && message.kind !== 'update' && message.kind !== 'delete')
      continue;
    const relation = relations.get(message.relationId)!;
    const shape = tableShape(relation, types, keys[relation.table] ?? ['id']);
    changes.push(...rowChanges(shape, message));
  }
  return changes;
}

const row = (collection: string, upstreamId: string, data: string | null, more = {}) => ({
  kind: 'row',
  collection,
  upstreamId,
  data,
  deleted: data === null,
  merge: false,
  movedFrom: null,
  ...more,
});

describe('messages of a real log', () => {
  let log: Logged[];

  beforeAll(async () => {
    await session.run(
      `create type colour as enum ('red', 'green')`,
      'create schema "odd schema"',
      'create table "odd schema"."a""b" (id int primary key, c colour, n numeric)',
      'create table whole (id int primary key, v text)',
      'alter table whole replica identity full',
    );
    log = await logged(
      '"odd schema"."a""b", whole',
      `insert into "odd schema"."a""b" values (1, 'red', 1.50)`,
      `begin; update "odd schema"."a""b" set n = null; update "odd schema"."a""b" set id = 2; commit`,
      `insert into whole values (7, 'x')`,
      `update whole set v = 'y'`,
      'delete from whole',
      'delete from "odd schema"."a""b"',
      'truncate "odd schema"."a""b", whole',
      `select pg_logical_emit_message(false, 'mark', 'hällo')`,
      `begin; select pg_logical_emit_message(true, 'within', ''); commit`,
    );
  });

  test('are decoded each with what it has', () => {
    const kinds = log.map(({ message }) => message.kind);
    expect(kinds.filter((kind) => kind === 'begin').length).toBe(8);
    expect(kinds.filter((kind) => kind === 'commit').length).toBe(8);
    const relation = log.find(({ message }) => message.kind === 'relation')?.message;
    expect(relation).toMatchObject({
      relation: {
        schema: 'odd schema',
        table: 'a"b',
        identity: 'default',
        columns: [
          { name: 'id', typeId: 23, isKey: true },
          { name: 'c', isKey: false },
          { name: 'n', typeId: 1700, isKey: false },
        ],
      },
    });
    expect(log.find(({ message }) => message.kind === 'type')?.message).toMatchObject({
      schema: 'public',
      name: 'colour',
    });
    const rest = log
      .map(({ message }) => message)
      .filter(({ kind }) => !['begin', 'commit', 'relation', 'type'].includes(kind));
    expect(rest).toMatchObject([
      { kind: 'insert', row: ['1', 'red', '1.50'] },
      { kind: 'update', old: null, row: ['1', 'red', null] },
      {
        kind: 'update',
        old: { isWhole: false, cells: ['1', null, null] },
        row: ['2', 'red', null],
      },
      { kind: 'insert', row: ['7', 'x'] },
      { kind: 'update', old: { isWhole: true, cells: ['7', 'x'] }, row: ['7', 'y'] },
      { kind: 'delete', old: { isWhole: true, cells: ['7', 'y'] } },
      { kind: 'delete', old: { isWhole: false, cells: ['2', null, null] } },
      { kind: 'truncate', relationIds: [expect.any(Number), expect.any(Number)] },
      { kind: 'message', isTransactional: false, prefix: 'mark', content: Buffer.from('hällo') },
      { kind: 'message', isTransactional: true, prefix: 'within', content: Buffer.alloc(0) },
    ]);
  });

  test('have their commit where it begins and ends', () => {
    const begins = log.flatMap(({ message }) => (message.kind === 'begin' ? [message] : []));
    const commits = log.flatMap(({ message }) => (message.kind === 'commit' ? [message] : []));
    for (const [nth, begin] of begins.entries()) {
      expect(commits[nth]?.commitLsn).toBe(begin.commitLsn);
      expect(commits[nth]?.committedAt).toBe(begin.committedAt);
      expect(commits[nth]!.endLsn > begin.commitLsn).toBe(true);
    }
  });

  test('that are cut anywhere, or too long, are refused with their name and LSN', () => {
    for (const { payload } of log) {
      for (let length = 0; length < payload.length; length++) {
        const cut = payload.subarray(0, length);
        expect(() => decodeMessage(cut, 0x1_0000002an)).toThrow(ProtocolError);
        expect(() => decodeMessage(cut, 0x1_0000002an)).toThrow(
          length === 0 ? 'The message at 1/2A' : / message at 1\/2A can't be read: /u,
        );
      }
      const long = Buffer.concat([payload, Buffer.from('!')]);
      expect(() => decodeMessage(long, 42n)).toThrow('1 bytes are left at its end');
    }
  });

  test('that are of a kind of other versions of the protocol are refused', () => {
    expect(() => decodeMessage(Buffer.from('S123'), 42n)).toThrow(
      new ProtocolError("The message at 0/2A can't be read: its kind is byte 83"),
    );
  });
});

describe('rows of a real log', () => {
  test('a large value that an update does not touch is left out, and the change merges', async () => {
    await session.run(
      'create table big (id text primary key, small int, large text)',
      'alter table big alter large set storage external',
      `insert into big values ('a', 1, repeat('x', 5000))`,
    );
    const log = await logged(
      'big',
      'update big set small = 2',
      `update big set id = 'b'`,
      'alter table big replica identity full',
      'update big set small = 3',
      'alter table big replica identity default',
    );
    expect(
      log.some(({ message }) => message.kind === 'update' && message.row.includes(UNCHANGED)),
    ).toBe(true);
    const big = 'postgres:public.big';
    expect(await changesOf(log, {})).toEqual([
      row(big, 'a', '{"id":"a","small":2}', { merge: true }),
      row(big, 'a', null),
      row(big, 'b', '{"id":"b","small":2}', { merge: true, movedFrom: 'a' }),
      row(big, 'b', `{"id":"b","small":3,"large":"${'x'.repeat(5_000)}"}`),
    ]);
  });

  test('a key that is itself a large value is taken from the old row', async () => {
    await session.run(
      'create table wide (id text primary key, rest text)',
      'alter table wide alter id set storage external, alter rest set storage plain',
      `insert into wide values (repeat('k', 1000), repeat('r', 1500))`,
    );
    const log = await logged('wide', `update wide set rest = 'short'`);
    const id = 'k'.repeat(1_000);
    expect(
      log.some(({ message }) => message.kind === 'update' && message.row.includes(UNCHANGED)),
    ).toBe(true);
    expect(await changesOf(log, {})).toEqual([
      row('postgres:public.wide', id, `{"id":"${id}","rest":"short"}`),
    ]);
  });

  test('a key of several columns is a JSON array, in the order of the table', async () => {
    await session.run(
      'create table pair (b text, n numeric, a bool, v int, primary key (a, n, b))',
      `insert into pair values ('x"y', 1.50, true, 1)`,
    );
    const log = await logged(
      'pair',
      'update pair set v = 2',
      'update pair set n = 2',
      'delete from pair',
    );
    const pair = 'postgres:public.pair';
    expect(await changesOf(log, { pair: ['a', 'b', 'n'] })).toEqual([
      row(pair, '["x\\"y",1.50,true]', '{"b":"x\\"y","n":1.50,"a":true,"v":2}'),
      row(pair, '["x\\"y",1.50,true]', null),
      row(pair, '["x\\"y",2,true]', '{"b":"x\\"y","n":2,"a":true,"v":2}'),
      row(pair, '["x\\"y",2,true]', null),
    ]);
  });

  test('new columns and types appear with the first row that has them', async () => {
    await session.run('create table grows (id int primary key)');
    const log = await logged(
      'grows',
      `begin; insert into grows values (1); create domain amount as numeric[];
       alter table grows add v amount; insert into grows values (2, '{1.10}'); commit`,
      'alter table grows drop v',
      'insert into grows values (3)',
    );
    const grows = 'postgres:public.grows';
    expect(await changesOf(log, {})).toEqual([
      row(grows, '1', '{"id":1}'),
      row(grows, '2', '{"id":2,"v":[1.10]}'),
      row(grows, '3', '{"id":3}'),
    ]);
  });

  test('a row that has no id is a change that says why', async () => {
    await session.run(
      'create table named (id text primary key)',
      'create table long (id text primary key)',
    );
    const log = await logged(
      'named, long',
      `insert into named values ('')`,
      `insert into long values (repeat('k', 1025))`,
      'delete from named',
    );
    const nameless = {
      kind: 'unreadable',
      collection: 'postgres:public.named',
      upstreamId: null,
      reason: 'The key is an empty text, and a record needs an id',
    };
    expect(await changesOf(log, {})).toEqual([
      nameless,
      {
        kind: 'unreadable',
        collection: 'postgres:public.long',
        upstreamId: null,
        reason: 'The key has 1025 characters; an id has at most 1024',
      },
      nameless,
    ]);
  });

  test.each([
    ['alter table kept drop constraint kept_pkey', 'kept has lost its primary key (id)'],
    [
      'alter table kept drop constraint kept_pkey, add primary key (id, n)',
      'The key of public.kept was id and is now id, n.',
    ],
    [
      'alter table kept rename id to ident',
      'kept no longer has id, by which its records are known.',
    ],
    ['alter table kept replica identity nothing', 'kept has the replica identity NOTHING'],
  ])('after %s its rows say what is wrong', async (statement, reason) => {
    await session.run('create table kept (id int primary key, n int not null)');
    const log = await logged('kept', statement, 'insert into kept values (1, 1)');
    const changes = await changesOf(log, { kept: ['id'] });
    expect(changes).toEqual([
      {
        kind: 'unreadable',
        collection: 'postgres:public.kept',
        upstreamId: null,
        reason: expect.stringContaining(reason) as unknown,
      },
    ]);
    await session.run('drop table kept');
  });
});

test('a value that is not UTF-8 makes its row unreadable, and a replacement character does not', () => {
  const relation: Relation = {
    id: 1,
    schema: 'public',
    table: 't',
    identity: 'default',
    columns: [
      { name: 'id', typeId: 23, isKey: true },
      { name: 'name', typeId: 25, isKey: false },
    ],
  };
  const shape = tableShape(relation, createColumnTypes(), ['id']);
  const insert = (value: Buffer): Change[] => {
    const length = Buffer.alloc(4);
    length.writeUInt32BE(value.length);
    const head = Buffer.from('49000000014e0002740000000131', 'hex'); // I, relation 1, N, 2 columns: "1"
    const payload = Buffer.concat([head, Buffer.from('t'), length, value]);
    const message = decodeMessage(payload, 42n);
    return message.kind === 'insert' ? rowChanges(shape, message) : [];
  };
  expect(insert(Buffer.from('a\uFFFDb'))).toMatchObject([{ data: '{"id":1,"name":"a\uFFFDb"}' }]);
  expect(insert(Buffer.from([0x61, 0xff]))).toEqual([
    {
      kind: 'unreadable',
      collection: 'postgres:public.t',
      upstreamId: '1',
      reason: 'Column name is not UTF-8',
    },
  ]);
});
