// the trace in which entries are appended, as it is stored and read
import { afterAll, beforeAll, expect, test } from 'vitest';

import { insertEvents, upsertRecords } from '../../src/streams/appendSql.ts';
import type { Entry } from '../../src/streams/entry.ts';
import { anEvent, aChange, EVERYTHING, openStreams, type Streams } from '../support/streams.ts';

const traceOf = (n: number): string =>
  `00-${String(n).padStart(32, 'a')}-${String(n).padStart(16, 'b')}-01`;
const HEADER = traceOf(1);
const OWN = traceOf(2);

let streams: Streams;
beforeAll(async () => {
  streams = await openStreams();
});
afterAll(async () => {
  await streams[Symbol.asyncDispose]();
});

let sync = 0;
const newSync = (): string => `s${(sync += 1)}`;

const entry = (sync_id: string, upstream_id: string, more: object = {}) => ({
  sync_id,
  collection_id: 'shop:order',
  upstream_id,
  data: { n: 1 },
  ...more,
});

async function send(
  stream: 'events' | 'records',
  entries: object[],
  { header, lines = false }: { header?: string; lines?: boolean } = {},
) {
  const all = stream === 'events' ? entries.map((one) => ({ event: 'created', ...one })) : entries;
  const response = await streams.app.request(`/v1/${stream}`, {
    method: 'POST',
    headers: {
      'content-type': lines ? 'application/x-ndjson' : 'application/json',
      ...(header === undefined ? {} : { traceparent: header }),
    },
    body: lines
      ? all.map((one) => JSON.stringify(one)).join('\n')
      : JSON.stringify({ [stream]: all }),
  });
  return { status: response.status, body: (await response.json()) as Record<string, unknown> };
}

/** The entries of a sync, in order. */
async function read(stream: 'events' | 'records', syncId: string): Promise<Entry[]> {
  const filter = { ...EVERYTHING, syncs: [syncId] };
  const page = { stream, after: 0, filter, limit: 100, maxBytes: 1_000_000, scanRows: 10_000 };
  return (await streams.pages.read(page)).entries;
}

const tracesIn = async (stream: 'events' | 'records', syncId: string) =>
  (await read(stream, syncId)).map(({ upstreamId, traceparent }) => [upstreamId, traceparent]);

for (const stream of ['events', 'records'] as const) {
  for (const lines of [false, true]) {
    const what = `${lines ? 'lines' : 'JSON'} of ${stream}`;

    test(`the header holds for all ${what}, and the field of an entry wins`, async () => {
      const s = newSync();
      const entries = [
        entry(s, 'a'),
        entry(s, 'b', { traceparent: OWN }),
        entry(s, 'c', { traceparent: null }),
      ];
      const expected = [
        ['a', HEADER],
        ['b', OWN],
        ['c', null],
      ];
      expect((await send(stream, entries, { header: HEADER, lines })).status).toBe(200);
      expect(await tracesIn(stream, s)).toEqual(expected);
      if (stream === 'records') expect(await tracesIn('events', s)).toEqual(expected);
    });

    test(`without a header, only ${what} with a field have a trace`, async () => {
      const s = newSync();
      const entries = [entry(s, 'a'), entry(s, 'b', { traceparent: OWN })];
      expect((await send(stream, entries, { lines })).status).toBe(200);
      expect(await tracesIn(stream, s)).toEqual([
        ['a', null],
        ['b', OWN],
      ]);
    });

    test(`a header that is invalid is ignored for ${what}`, async () => {
      for (const header of ['no', HEADER.toUpperCase(), `${HEADER}, ${HEADER}`, `${HEADER}-x`]) {
        const s = newSync();
        expect((await send(stream, [entry(s, 'a')], { header, lines })).status).toBe(200);
        expect(await tracesIn(stream, s)).toEqual([['a', null]]);
      }
    });

    test(`an invalid field of ${what} is refused by name`, async () => {
      for (const traceparent of ['no', HEADER.toUpperCase(), `${HEADER}-x`, 7, {}]) {
        const s = newSync();
        const entries = [entry(s, 'a'), entry(s, 'b', { traceparent })];
        const { status, body } = await send(stream, entries, { header: HEADER, lines });
        const [fault] = body['errors'] as { pointer: string; detail: string }[];
        const pointer = lines ? '/traceparent' : `/${stream}/1/traceparent`;
        expect([status, fault?.pointer]).toEqual([422, pointer]);
        expect(await tracesIn(stream, s)).toEqual(lines ? [['a', HEADER]] : []);
      }
    });
  }
}

test('a record has the trace of what changed it last, and each event that of its own change', async () => {
  const s = newSync();
  const change = (data: object, more: object = {}) => [entry(s, 'a', { data, ...more })];
  await send('records', change({ n: 1 }), { header: traceOf(11) });
  await send('records', change({ n: 1 }), { header: traceOf(12) }); // it is equal
  expect(await tracesIn('records', s)).toEqual([['a', traceOf(11)]]);
  await send('records', change({ m: 2 }, { merge: true }), { header: traceOf(13) });
  expect(await tracesIn('records', s)).toEqual([['a', traceOf(13)]]);
  await send('records', change({ n: 3 }));
  expect(await tracesIn('records', s)).toEqual([['a', null]]);
  const both = [...change({ n: 4 }, { traceparent: OWN }), ...change({ n: 5 })];
  await send('records', both, { header: traceOf(14) });
  expect(await tracesIn('records', s)).toEqual([['a', traceOf(14)]]);
  await send('records', [{ ...entry(s, 'a'), data: undefined, deleted: true }], { header: OWN });
  expect(await tracesIn('records', s)).toEqual([['a', OWN]]);
  const events = (await tracesIn('events', s)).map(([, traceparent]) => traceparent);
  expect(events).toEqual([traceOf(11), traceOf(13), null, OWN, traceOf(14), OWN]);
});

test('an event that is there already keeps its trace', async () => {
  const s = newSync();
  const one = [entry(s, 'a', { event_id: `${s}-1` })];
  await send('events', one, { header: HEADER });
  const { body } = await send('events', one, { header: OWN });
  expect(body).toMatchObject({ accepted: 0, duplicates: 1 });
  expect(await tracesIn('events', s)).toEqual([['a', HEADER]]);
});

test('the trace of an entry is in no body, and an entry at a position has it as one of a page', async () => {
  const s = newSync();
  await send('records', [entry(s, 'a')], { header: HEADER });
  for (const stream of ['events', 'records'] as const) {
    const [one] = await read(stream, s);
    expect(one?.body).not.toContain('traceparent');
    expect(one?.body).not.toContain(HEADER.slice(3, 35));
    expect(await streams.pages.entryAt(stream, one?.position ?? 0)).toEqual(one);
    const { last } = await streams.pages.read({
      stream,
      after: 0,
      filter: EVERYTHING,
      limit: 1,
      maxBytes: 1,
      scanRows: 1,
    });
    const older = await streams.pages.older({
      stream,
      before: last,
      syncId: s,
      limit: 1,
      maxBytes: 1_000_000,
      scanRows: 1_000,
    });
    expect(older.entries).toEqual([one]);
  }
});

test('an append without a trace runs the same statements as if there were none, and stores 26 bytes less', async () => {
  const s = newSync();
  const version = { ...aChange(), data: '{}', upstreamCreatedAt: null, upstreamUpdatedAt: null };
  for (const { name, text, values } of [
    insertEvents([anEvent()]),
    upsertRecords([{ ...version, versionId: 'v' }]),
  ]) {
    expect(['insert-events', 'upsert-records']).toContain(name);
    expect([text.includes('$11'), values?.length]).toEqual([false, 10]);
  }
  await send('events', [entry(s, 'a')]);
  await send('events', [entry(s, 'b')], { header: HEADER });
  const { rows } = await streams.db.query<{ stored: number | null }>({
    text: `select pg_column_size(traceparent) as stored from events where sync_id = $1 order by position`,
    values: [s],
  });
  expect(rows.map(({ stored }) => stored)).toEqual([null, 26]);
});
