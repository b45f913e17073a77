import { describe, expect, test } from 'vitest';

import { HOSTS } from '../support/hosts.ts';
import { IS_LONG } from '../support/long.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver, type TestReceiver } from '../support/receiver.ts';
import { aChange } from '../support/streams.ts';
import { grant, holdTokens, openTokenServer } from '../support/tokenServer.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

const LANES = 5;
/** Of each lane, whose consumer is paused and resumed. */
const ROUNDS = IS_LONG ? 10 : 3;

/** Resolves when no sender holds the consumer's lease: all that was started has ended. */
function untilReleased(world: World, consumer: string): Promise<unknown> {
  return until(async () => {
    const { rows } = await world.db.query({
      text: 'select from cursors where consumer_id = $1 and holder is null',
      values: [consumer],
    });
    return rows.length === 1;
  });
}

/** Has requests wait from now on; what is returned answers them and all later ones. */
function hang(receiver: TestReceiver): () => void {
  const open: (() => void)[] = [];
  receiver.respond = (one, response) => void open.push(() => accept(one, response));
  return () => {
    receiver.respond = accept;
    for (const answerOne of open) answerOne();
  };
}

/** The status that the API shows; asked for without a pause, to see a change as early as anyone can. */
async function untilShown(world: World, consumer: string, shown: (status: unknown) => boolean) {
  for (;;) {
    const { status, body } = await world.api.request('GET', `/v1/consumers/${consumer}`);
    if (shown(status === 200 ? body.status : status)) return;
  }
}

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test(`an entry that is appended once \`paused\` is read is not sent, in ${LANES * ROUNDS} pauses by signal`, async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url);
    const isIn = (position: number) => receiver.received.some((one) => one.position === position);

    /** Pauses one consumer again and again; returns how many entries were sent though it was shown as paused. */
    async function pauseOften(syncId: string): Promise<number> {
      const consumer = await world.consumer(target, { syncs: [syncId] });
      const append = () => world.append.events(someEvents(1, { syncId }));
      let late = 0;
      for (let round = 0; round < ROUNDS; round++) {
        const { position: warm } = await append();
        await until(() => isIn(warm));
        await world.handle(consumer).signal('pause');
        await untilShown(world, consumer, (status) => status === 'paused');
        const { position } = await append();
        await untilReleased(world, consumer);
        if (isIn(position)) late += 1;
        await world.handle(consumer).signal('resume');
        await until(() => isIn(position));
      }
      return late;
    }

    const lanes = Array.from({ length: LANES }, (_, lane) => pauseOften(`sync-${lane}`));
    const late = await Promise.all(lanes);
    expect(late).toEqual(late.map(() => 0));
  }, 300_000);

  test.each([
    ['POST', '/pause', 'paused'],
    ['DELETE', '', 404],
  ])(
    'while a request hangs %s %s is shown and answered at once, and after that no request starts',
    async (method, path, shown) => {
      await using world = await openWorld(options);
      await using receiver = await openReceiver();
      const release = hang(receiver);
      const target = await world.target(receiver.url, { max_in_flight: 2 });
      const consumer = await world.consumer(target);
      await world.append.events(someEvents(20)); // more than a quiet sender takes
      await until(() => receiver.received.length === 2);
      const at = performance.now();
      const answered = world.api.request(method, `/v1/consumers/${consumer}${path}`);
      await untilShown(world, consumer, (status) => status === shown);
      release(); // there is room for two more, which may not be used
      await answered;
      expect(performance.now() - at).toBeLessThan(10_000); // a request may hang for 15 s
      await untilReleased(world, consumer);
      expect(receiver.received).toHaveLength(2);
    },
  );

  test('what waits for a request of an older version of its record is not sent once `paused` is shown', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver();
    const target = await world.target(receiver.url, { max_in_flight: 1 });
    await world.consumer(target, { stream: 'records', syncs: ['warm'] });
    await world.append.records([aChange({ syncId: 'warm' })]);
    await until(() => receiver.received.length === 1); // from now on, entries are in memory when they are sent
    const release = hang(receiver);
    const consumer = await world.consumer(target, { stream: 'records', start: 'end' });
    await world.append.records([aChange({ upstreamId: 'again', data: '{"n":1}' })]);
    await until(() => receiver.received.length === 2);
    // A quiet sender does not take so many.
    await world.append.records([
      aChange({ upstreamId: 'again', data: '{"n":2}' }),
      ...Array.from({ length: 20 }, (_, n) => aChange({ upstreamId: `other-${n}` })),
    ]);
    const answered = world.api.request('POST', `/v1/consumers/${consumer}/pause`);
    await untilShown(world, consumer, (status) => status === 'paused');
    release();
    await answered;
    await untilReleased(world, consumer);
    expect(receiver.received).toHaveLength(2);
  });

  test('a request that waits for its token when `paused` is shown does not start', async () => {
    await using world = await openWorld(options);
    await using tokens = await openTokenServer();
    const waiting = holdTokens(tokens);
    await using receiver = await openReceiver();
    const { credentials } = tokens;
    const consumer = await world.consumer(await world.target(receiver.url, { credentials }));
    await world.append.events(someEvents(3));
    await until(() => waiting.length > 0);
    const answered = world.api.request('POST', `/v1/consumers/${consumer}/pause`);
    await untilShown(world, consumer, (status) => status === 'paused');
    tokens.respond = (response) => grant(response, 'new', 3_600);
    for (const one of waiting) one(true);
    await answered;
    await untilReleased(world, consumer);
    expect(receiver.received).toHaveLength(0);
    await world.handle(consumer).signal('resume');
    await until(() => receiver.received.length === 3);
    expect(receiver.received.map((one) => one.attempt)).toEqual([1, 1, 1]);
  });

  test('a retry of a blocked consumer that waits for its token when `paused` is shown does not start', async () => {
    await using world = await openWorld(options);
    await using tokens = await openTokenServer();
    await using receiver = await openReceiver(answer(503));
    const { credentials } = tokens;
    const consumer = await world.consumer(await world.target(receiver.url, { credentials }));
    await world.append.events(someEvents(1));
    await world.becomes(consumer, 'blocked');
    const waiting = holdTokens(tokens);
    receiver.respond = answer(401); // so that another token is fetched for the same attempt
    await world.handle(consumer).signal('retryNow');
    await until(() => waiting.length > 0);
    const { length } = receiver.received;
    const answered = world.api.request('POST', `/v1/consumers/${consumer}/pause`);
    await untilShown(world, consumer, (status) => status === 'paused');
    for (const one of waiting) one(true);
    await answered;
    await untilReleased(world, consumer);
    expect(receiver.received).toHaveLength(length);
  });

  test('a pause of a blocked consumer is shown only once its next attempt cannot start', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((_, response) => response.writeHead(503).end());
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(1));
    for (let round = 0; round < ROUNDS; round++) {
      await world.becomes(consumer, 'blocked');
      const before = receiver.received.length;
      await world.handle(consumer).signal('retryNow');
      await until(() => receiver.received.length > before);
      await world.handle(consumer).signal('retryNow');
      await world.handle(consumer).signal('pause');
      await untilShown(world, consumer, (status) => status === 'paused');
      await fetch(receiver.url); // what was sent before `paused` was shown has come before this request
      const { length } = receiver.received;
      await untilReleased(world, consumer);
      expect(receiver.received).toHaveLength(length);
      await world.handle(consumer).signal('resume');
    }
  }, 120_000);
});
