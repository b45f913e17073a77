import { afterAll, beforeAll, expect, test } from 'vitest';

import { openDb, type Db } from '../../src/db/db.ts';
import { compile, type Matchable } from '../../src/rules/filter.ts';
import { passes, PASSES_FILTER } from '../../src/rules/filterSql.ts';
import { inForce, type FilterVersion } from '../../src/rules/filterVersions.ts';
import type { Filter } from '../../src/schema/consumer.ts';
import { createDatabase, PATIENT, type TestDatabase } from '../support/database.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';

const SEED = seedOf(process.env['SEED']);
const FILTERS = 300;
const HISTORIES = 150;
const draw = drawFrom(SEED);
let database: TestDatabase;
let db: Db;

beforeAll(async () => {
  database = await createDatabase();
  db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
});

afterAll(async () => {
  await db.close();
  await database[Symbol.asyncDispose]();
});

test(`a filter in SQL passes the same entries as the compiled filter (SEED=${SEED})`, async () => {
  const entries = manyEntries(['created', 'updated', 'deleted', null]);
  const lists = { syncs: '$2::text[]', collections: '$3::text[]', event_types: '$4::text[]' };
  const text = `
    select position from jsonb_to_recordset($1) as e(position bigint, sync_id text, collection_id text, event text)
     where ${passes('e', lists)} order by position`;
  for (let count = 0; count < FILTERS; count += 1) {
    const filter = aFilter();
    const { syncs, collections, event_types } = filter;
    const values = [rowsOf(entries), syncs, collections, event_types];
    const { rows } = await db.query<{ position: number }>({ text, values });
    const matches = compile(filter);
    const expected = entries.filter(matches).map(({ position }) => position);
    expect(
      rows.map(({ position }) => position),
      JSON.stringify(filter),
    ).toEqual(expected);
  }
});

test(`Postgres and a sender find the same filter versions in force (SEED=${SEED})`, async () => {
  const entries = manyEntries(['created', 'updated', 'deleted']);
  // The names of the tables, since the rule is written for those.
  const text = `
    with filter_versions as (
      select consumer_id, version, filter_from, array(select jsonb_array_elements_text(syncs)) as syncs,
             array(select jsonb_array_elements_text(collections)) as collections,
             array(select jsonb_array_elements_text(event_types)) as event_types
        from jsonb_to_recordset($2) as v(consumer_id int, version int, filter_from bigint, syncs jsonb,
                                         collections jsonb, event_types jsonb)
    )
    select position
      from (select 1 as id) k,
           jsonb_to_recordset($1) as e(position bigint, sync_id text, collection_id text, event text)
     where ${PASSES_FILTER} order by position`;
  for (let count = 0; count < HISTORIES; count += 1) {
    const versions = aHistory();
    const stored = versions.map(({ version, filterFrom, filter }) => ({
      consumer_id: 1,
      version,
      filter_from: filterFrom,
      ...filter,
    }));
    const values = [rowsOf(entries), JSON.stringify(stored)];
    const { rows } = await db.query<{ position: number }>({ text, values });
    const expected = entries.filter((entry) => passesAll(entry, versions));
    expect(
      rows.map(({ position }) => position),
      JSON.stringify(versions),
    ).toEqual(expected.map(({ position }) => position));
  }
});

interface Positioned extends Matchable {
  position: number;
}

/** The rule of a sender: the version in force just below the entry, and all later ones. */
function passesAll(entry: Positioned, versions: FilterVersion[]): boolean {
  const { filter, also } = inForce(versions, entry.position - 1);
  return [filter, ...also].every((one) => compile(one)(entry));
}

function manyEntries(events: (string | null)[]): Positioned[] {
  return Array.from({ length: 60 }, (_, index) => ({
    position: index + 1,
    syncId: oneOf(SYNCS),
    collectionId: oneOf(COLLECTIONS),
    event: oneOf(events),
  }));
}

function rowsOf(entries: Positioned[]): string {
  return JSON.stringify(
    entries.map(({ position, syncId, collectionId, event }) => ({
      position,
      sync_id: syncId,
      collection_id: collectionId,
      event,
    })),
  );
}

/** Ascending; the last ones may not have been taken yet. */
function aHistory(): FilterVersion[] {
  let from = 0;
  const count = 1 + Math.floor(draw() * 4);
  const untaken = Math.floor(draw() * 3);
  return Array.from({ length: count }, (_, index) => {
    const isTaken = index === 0 || index < count - untaken;
    const version = { version: index + 1, filterFrom: isTaken ? from : null, filter: aFilter() };
    from += Math.floor(draw() * 30); // two may be taken at the same place
    return version;
  });
}

// With what arrays and literals have to quote, and a star that is one of several characters.
const SYNCS = ['a', 'b', 'A', '', '{}', '**', 'x,y', '"q"', String.raw`\n`, 'null', 'é'];
const COLLECTIONS = ['s:a', 's:b', 's:*', 's:{"a"}', 't:a'];

function aFilter(): Filter {
  return {
    syncs: aList(SYNCS),
    collections: aList(COLLECTIONS),
    event_types: aList(['created', 'updated', 'deleted']),
  };
}

function aList(values: string[]): string[] {
  const kind = draw();
  if (kind < 0.4) return ['*'];
  return kind < 0.45 ? [] : values.filter(() => draw() < 0.5);
}

function oneOf<T>(values: T[]): T {
  return values[Math.floor(draw() * values.length)] as T;
}
