import { setTimeout as wait } from 'node:timers/promises';

import { expect, test } from 'vitest';

import { until } from '../support/poll.ts';
import { openReceiver, type TestReceiver } from '../support/receiver.ts';
import { drawFrom, seedOf } from '../support/seeded.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

const COLLECTIONS = ['t:a', 't:b', 't:c'];
const IDLE_AFTER_MS = 50;
const TURNS = 40;
const AT_ONCE = 4;

/** What the contract says about one consumer: how often each entry may and must arrive. */
function createModel(filter: Set<string>) {
  const entries: { id: string; position: number; collection: string }[] = [];
  const least = new Map<string, number>();
  const most = new Map<string, number>();
  let versions = [{ from: 0, filter }];
  let start = 0; // where the last seek has put it

  /** Of the time since the last seek: it passes its own version, and every later one. */
  function verdictOf(entry: { position: number; collection: string }): 'must' | 'may' | 'never' {
    if (entry.position <= start) return 'never';
    const own = Math.max(
      0,
      versions.findLastIndex((one) => one.from < entry.position),
    );
    if (versions[own]?.filter.has(entry.collection) !== true) return 'never';
    return versions.slice(own).every((one) => one.filter.has(entry.collection)) ? 'must' : 'may';
  }

  /** The time until a seek is over: what was due may have come, and has if it had caught up. */
  function close(settled: boolean): void {
    for (const entry of entries) {
      const verdict = verdictOf(entry);
      if (verdict === 'never') continue;
      most.set(entry.id, (most.get(entry.id) ?? 0) + 1);
      if (settled && verdict === 'must') least.set(entry.id, (least.get(entry.id) ?? 0) + 1);
    }
  }

  return {
    append: (entry: (typeof entries)[number]) => void entries.push(entry),
    edit: (from: number, next: Set<string>) => void versions.push({ from, filter: next }),
    seek: (to: number, settled: boolean) => {
      close(settled);
      start = to;
      versions = [{ from: to, filter: versions.at(-1)?.filter ?? filter }];
    },
    filter: () => versions.at(-1)?.filter ?? filter,
    /** What did not come as often as it must, or came more often than it may. */
    wrong: (received: string[]) => {
      const count = new Map<string, number>();
      for (const id of received) count.set(id, (count.get(id) ?? 0) + 1);
      return entries.flatMap(({ id, position, collection }) => {
        const [low, high, got] = [least.get(id) ?? 0, most.get(id) ?? 0, count.get(id) ?? 0];
        return got < low || got > high ? [{ position, collection, got, low, high }] : [];
      });
    },
    /** Whether all that must have arrived has, if the present were the end. */
    missing: (received: string[]) => {
      const got = new Map<string, number>();
      for (const id of received) got.set(id, (got.get(id) ?? 0) + 1);
      return entries.filter(
        (one) => verdictOf(one) === 'must' && (got.get(one.id) ?? 0) < (least.get(one.id) ?? 0) + 1,
      );
    },
    close,
  };
}

/** One consumer lives through `TURNS` turns drawn from the seed; its sync is its own. */
async function live(world: World, receiver: TestReceiver, sync: string, seed: number) {
  const draw = drawFrom(seed);
  const pick = <T>(values: readonly T[]): T => values[Math.floor(draw() * values.length)] as T;
  const model = createModel(new Set(['t:a']));
  const log: string[] = [];
  const id = await world.consumer(await world.target(`${receiver.url}/${sync}`), {
    syncs: [sync],
    collections: ['t:a'],
    start: 'beginning',
  });
  const received = (): string[] =>
    receiver.received.filter((one) => one.path.endsWith(`/${sync}`)).map((one) => one.id);
  let paused = false;

  async function ask(
    path: string,
    body?: object,
  ): Promise<{ filter_from: number; position: number }> {
    const { status, body: answer } = await world.api.request(
      'POST',
      `/v1/consumers/${id}/${path}`,
      body,
    );
    expect([path, status, answer.code]).toEqual([path, 200, undefined]);
    return answer;
  }

  async function append(): Promise<void> {
    const collection = pick(COLLECTIONS);
    const [event] = someEvents(1, { syncId: sync, collectionId: collection });
    if (event === undefined) return;
    const { position } = await world.append.events([event]);
    log.push(`${position} ${collection}`);
    model.append({ id: event.eventId, position, collection });
  }

  async function edit(): Promise<void> {
    const collection = pick(COLLECTIONS);
    const next = new Set(model.filter());
    const verb = next.delete(collection) ? 'remove' : 'add';
    if (verb === 'add') next.add(collection);
    const answer = await ask('filter', { [verb]: { collections: [collection] } });
    log.push(`${verb} ${collection} from ${answer.filter_from}`);
    model.edit(answer.filter_from, next);
  }

  async function turn(): Promise<void> {
    paused = !paused;
    await ask(paused ? 'pause' : 'resume');
    log.push(paused ? 'pause' : 'resume');
  }

  async function seek(): Promise<void> {
    const settled = !paused && draw() < 0.5;
    if (settled) await arrived();
    const to = pick(['beginning', 'end'] as const);
    const before = await endOf(world);
    await ask('seek', { to });
    log.push(`seek ${to}, from ${before}`);
    // Other consumers' entries may move the end meanwhile; ours do not.
    model.seek(to === 'beginning' ? 0 : before, settled);
  }

  async function arrived(): Promise<void> {
    await until(() => model.missing(received()).length === 0, {
      timeoutMs: 90_000,
      what: `${sync}, seed ${seed}: all arrives after ${log.join('; ')}`,
    });
  }

  for (let round = 0; round < TURNS; round += 1) {
    const drawn = draw();
    if (drawn < 0.5) await append();
    else if (drawn < 0.75) await edit();
    else if (drawn < 0.92) await turn();
    else await seek();
    // Around the moment at which it falls idle, or at once.
    if (draw() < 0.5) await wait(draw() * 2 * IDLE_AFTER_MS);
  }
  if (paused) await turn();
  await arrived();
  await world.caughtUp(id);
  model.close(true);
  expect({ seed, log, wrong: model.wrong(received()) }).toEqual({ seed, log, wrong: [] });
}

async function endOf(world: World): Promise<number> {
  const { rows } = await world.db.query<{ last_position: number }>(
    `select last_position from streams where name = 'events'`,
  );
  return rows[0]?.last_position ?? 0;
}

test('a consumer that keeps falling idle loses and repeats nothing, whatever commands come meanwhile', async () => {
  const seed = seedOf(process.env['SEED']);
  process.stderr.write(`turns are drawn from SEED=${seed}\n`);
  await using world = await openWorld({ idleAfterMs: IDLE_AFTER_MS });
  await using receiver = await openReceiver();
  await Promise.all(
    Array.from({ length: AT_ONCE }, (_, index) =>
      live(world, receiver, `s-${index}`, seed + index),
    ),
  );
}, 300_000);

test('a filter edit that is applied just when the drain has fallen idle leaves no consumer asleep', async () => {
  await using world = await openWorld({ idleAfterMs: 10_000 }); // not before the edit is asked for
  await using receiver = await openReceiver();
  const consumer = await world.consumer(await world.target(receiver.url), { syncs: ['sync-1'] });
  await world.append.events(someEvents(1));
  await until(() => receiver.received.length === 1);
  const isIdle = async (): Promise<boolean> => {
    const { rows } = await world.db.query<{ idle: boolean }>('select idle from cursors');
    return rows[0]?.idle === true;
  };
  expect(await isIdle()).toBe(false);
  const edited = await world.db.transaction(async (tx) => {
    // What an edit locks first: it waits here until the drain has let go as idle.
    await tx.query(`select from tails where stream = 'events' for update`);
    const answer = world.api.request('POST', `/v1/consumers/${consumer}/filter`, {
      add: { syncs: ['sync-2'] },
    });
    await until(isIdle);
    const { raw } = await until(async () => {
      const description = await world.handle(consumer).describe();
      const [first, ...rest] = description.raw.pendingActivities ?? [];
      return rest.length === 0 && first?.activityType?.name === 'apply' && description;
    });
    expect(raw.pendingActivities).toHaveLength(1);
    return { answer };
  });
  expect((await edited.answer).status).toBe(200);
  await world.append.events(someEvents(1, { syncId: 'sync-2' }));
  await until(() => receiver.received.length === 2);
});
