import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { openPipe, type Pipe } from '../../src/db/db.ts';
import { Fenced } from '../../src/streams/fence.ts';
import { createPasses } from '../../src/streams/passes.ts';
import { createRecordAppend, type RecordRequest } from '../../src/streams/recordAppend.ts';
import { aChange, openStreams, type Streams } from '../support/streams.ts';

let streams: Streams;

beforeAll(async () => {
  streams = await openStreams();
});
afterAll(() => streams[Symbol.asyncDispose]());

/** A source under an epoch. */
async function createSource(epoch: number): Promise<string> {
  const id = randomUUID();
  await streams.db.query({
    text: `
      insert into sources (id, name, kind, sync_id, region, url, url_shown, slot, publication, status, status_since,
                           version, epoch, created_at, updated_at)
      values ($1, $2, 'postgres', $2, 'r', 'u', 'u', $2, 'p', 'active', now(), 1, $3, now(), now())`,
    values: [id, id, epoch],
  });
  return id;
}

async function stored(
  syncId: string,
): Promise<{ records: number; events: number; places: string[] }> {
  const { rows } = await streams.db.query<{ records: number; events: number; places: string[] }>({
    text: `
      select (select count(*) from records where sync_id = $1) as records,
             (select count(*) from events where sync_id = $1) as events,
             array(select key || '=' || value from checkpoints where source = $1 order by 1) as places`,
    values: [syncId],
  });
  return rows[0]!;
}

const checkpoint = (source: string, key: string, value: string) => ({ source, key, value });

test('an append with a fence that holds stores its changes and all its checkpoints together', async () => {
  const source = await createSource(4);
  const fence = { source, epoch: 4 };
  const changes = [aChange({ syncId: source, upstreamId: '1' })];
  const checkpoints = [checkpoint(source, 'a', '1'), checkpoint(source, 'b', '2')];
  await streams.appender.records(changes, { checkpoints, fence });
  expect(await stored(source)).toEqual({ records: 1, events: 1, places: ['a=1', 'b=2'] });
  await streams.appender.records([], { checkpoints: [checkpoint(source, 'a', '3')], fence });
  expect(await stored(source)).toMatchObject({ places: ['a=3', 'b=2'] });
});

test('nothing of an append is stored whose source was claimed by another one, or is deleted; others of its group are', async () => {
  const source = await createSource(5);
  const deleted = randomUUID();
  const appends = [
    { fence: { source, epoch: 4 }, upstreamId: 'old' },
    { fence: { source, epoch: 5 }, upstreamId: 'current' },
    { fence: { source: deleted, epoch: 1 }, upstreamId: 'deleted' },
  ].map(({ fence, upstreamId }) =>
    streams.appender.records([aChange({ syncId: source, upstreamId })], {
      checkpoints: [checkpoint(source, upstreamId, '1')],
      fence,
    }),
  );
  const other = streams.appender.records([aChange({ syncId: source, upstreamId: 'other' })]);
  const [old, current, gone] = await Promise.allSettled(appends);
  expect(old).toMatchObject({ status: 'rejected', reason: expect.any(Fenced) });
  expect(gone).toMatchObject({ status: 'rejected', reason: expect.any(Fenced) });
  expect(current).toMatchObject({ status: 'fulfilled', value: { created: 1 } });
  expect(await other).toMatchObject({ created: 1 });
  expect(await stored(source)).toEqual({ records: 2, events: 2, places: ['current=1'] });
});

test('whoever claims a source waits for an append of the one before, and the next append of that one is refused', async () => {
  const source = await createSource(1);
  const claimed = Promise.withResolvers<void>();
  const claim = async (): Promise<void> => {
    await streams.db.query({
      text: 'update sources set epoch = 2 where id = $1',
      values: [source],
    });
    expect(await stored(source)).toMatchObject({ records: 1, places: ['log=1'] });
    claimed.resolve();
  };
  await using pipe = openPipe({ url: streams.url, onError: () => undefined });
  let claiming = Promise.resolve();
  // The claim begins between the two exchanges of the append.
  const slow: Pipe = {
    ...pipe,
    exchange: (first, next) =>
      pipe.exchange(first, (results) => {
        claiming = claim();
        return next(results);
      }),
  };
  const doubt = { doubtMs: 0, retryMs: 1, signal: new AbortController().signal };
  const append = createRecordAppend({ pipe: slow, doubt });
  const request = (key: string): RecordRequest => ({
    changes: [aChange({ syncId: source, upstreamId: key })],
    checkpoints: [checkpoint(source, 'log', key)],
    fence: { source, epoch: 1 },
  });
  await append([request('1')]);
  await claimed.promise;
  await claiming;
  const fence = { source, epoch: 1 };
  await expect(streams.appender.records([], { checkpoints: [], fence })).rejects.toThrow(Fenced);
});

test('a pass does not begin under a fence that does not hold, and ends no other one', async () => {
  const source = await createSource(2);
  const passes = createPasses({ db: streams.db });
  const pass = { syncId: source, collectionId: 'a:b' };
  const current = randomUUID();
  await passes.begin({ ...pass, id: current, fence: { source, epoch: 2 } });
  const late = { ...pass, id: randomUUID(), fence: { source, epoch: 1 } };
  await expect(passes.begin(late)).rejects.toThrow(Fenced);
  expect(await passes.get(late.id)).toBeNull();
  expect(await passes.get(current)).toMatchObject({ status: 'running' });
});

test('a fence costs an append one statement', async () => {
  const source = await createSource(1);
  await using pipe = openPipe({ url: streams.url, onError: () => undefined });
  const sent: (string | undefined)[] = [];
  const noting: Pipe = {
    ...pipe,
    exchange: (first, next) => {
      sent.push(...first.map(({ name }) => name));
      return pipe.exchange(first, next);
    },
  };
  const doubt = { doubtMs: 0, retryMs: 1, signal: new AbortController().signal };
  const append = createRecordAppend({ pipe: noting, doubt });
  await append([{ changes: [aChange({ syncId: source })], fence: { source, epoch: 1 } }]);
  expect(sent).toEqual(['lock-records', 'select-records', 'select-epochs']);
});

test('a merge into a record whose id has changed keeps the fields of the record that it was', async () => {
  const { appender } = streams;
  const of = (upstreamId: string, fields: object) =>
    aChange({ syncId: 'moved', upstreamId, ...fields });
  await appender.records([of('1', { data: '{"id":1,"large":"x","n":1}' })]);
  await appender.records([
    of('1', { data: null, deleted: true }),
    of('2', { data: '{"id":2,"n":2}', merge: true, movedFrom: '1' }),
  ]);
  await appender.records([of('3', { data: '{"id":3}', merge: true, movedFrom: 'unknown' })]);
  const { rows } = await streams.db.query<{ upstream_id: string; data: string; deleted: boolean }>(
    `select upstream_id, data, deleted from records where sync_id = 'moved' order by 1`,
  );
  expect(rows).toEqual([
    { upstream_id: '1', data: '{"id":1,"large":"x","n":1}', deleted: true },
    { upstream_id: '2', data: '{"id":2,"large":"x","n":2}', deleted: false },
    { upstream_id: '3', data: '{"id":3}', deleted: false },
  ]);
});
