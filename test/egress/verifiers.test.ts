import { CloudEvent, HTTP } from 'cloudevents';
import { Webhook } from 'standardwebhooks';
import { beforeAll, expect, test } from 'vitest';

import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { ConsumerBody } from '../../src/schema/body.ts';
import { openOwnApp } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { openReceiver, type Received } from '../support/receiver.ts';
import { goVerifier, pythonVerifier, type Signed, type Verify } from '../support/verifiers.ts';
import { openWorld, someEvents } from '../support/world.ts';

const node: Verify = async (secret, { headers, body }) => {
  try {
    new Webhook(secret).verify(body, headers);
    return true;
  } catch {
    return false;
  }
};
let verifiers: [name: string, verify: Verify][];

beforeAll(async () => {
  verifiers = [
    ['Node', node],
    ['Python', await pythonVerifier()],
    ['Go', await goVerifier()],
  ];
}, 300_000);

const signedOf = ({ headers, body }: Received): Signed => ({
  headers: headers as Record<string, string>,
  body,
});

/** Which libraries take it as signed with the secret. */
async function takenBy(secret: string, signed: Signed): Promise<string[]> {
  const taken = [];
  for (const [name, verify] of verifiers) if (await verify(secret, signed)) taken.push(name);
  return taken;
}

const ALL = ['Node', 'Python', 'Go'];

test.concurrent('webhooks are verified by the official libraries of Node, Python and Go, and changed ones are refused', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const { body: target } = await world.api.request('POST', '/v1/targets', {
    name: 'r',
    base_url: receiver.url,
  });
  const consumer = await world.consumer(target.id);
  const odd = { data: '{"text":"ünïcode \\u0000 \\u2028 😀","big":9007199254740993}' };
  await world.append.events([...someEvents(1), ...someEvents(1, odd)]);
  await world.caughtUp(consumer);
  for (const one of receiver.received) {
    const signed = signedOf(one);
    const secret: string = target.signing_secret;
    expect(await takenBy(secret, signed)).toEqual(ALL);
    expect(await takenBy(secret, { ...signed, body: `${one.body} ` })).toEqual([]);
    const moved = { ...signed.headers, 'webhook-id': 'another' };
    expect(await takenBy(secret, { ...signed, headers: moved })).toEqual([]);
  }
  expect(receiver.received).toHaveLength(2);
});

/** From nothing to the largest data, which is 1 MiB with its quotes. */
const DATA = ['null', '{"text":"ünïcode 😀"}', `"${'😀'.repeat((1_048_576 - 2) / 4)}"`];
const BODIES: ConsumerBody[] = [
  { mode: 'full' },
  { mode: 'thin' },
  { mode: 'fields', pointers: ['/data'] },
  { mode: 'cloudevents' },
  { mode: 'map', expression: 'event.data' },
];

test.each(BODIES)(
  'a body of the mode $mode is verified by the libraries, from null to 1 MiB with emoji',
  async (body) => {
    await using world = await openWorld();
    await using receiver = await openReceiver();
    const { body: target } = await world.api.request('POST', '/v1/targets', {
      name: 'r',
      base_url: receiver.url,
    });
    const consumer = await world.consumer(target.id, { body });
    await world.append.events(DATA.flatMap((data) => someEvents(1, { data })));
    await world.caughtUp(consumer);
    expect(receiver.received).toHaveLength(DATA.length);
    for (const one of receiver.received) {
      const signed = signedOf(one);
      expect(await takenBy(target.signing_secret, signed)).toEqual(ALL);
      expect(await takenBy(target.signing_secret, { ...signed, body: `${one.body} ` })).toEqual([]);
      expect(one.body.includes('😀')).toBe(body.mode !== 'thin' && one.position > 1);
    }
    expect((await world.get(consumer)).parked).toBe(0);
  },
);

/** Entries of these data fill three batches, of nothing, of a little and of some 1 MiB, and the last one goes alone. */
const BATCHED = [
  'null',
  'null',
  'null',
  'null',
  '{"text":"ünïcode 😀"}',
  '[]',
  ...Array.from({ length: 3 }, () => `"${'😀'.repeat(87_000)}"`),
  `"${'😀'.repeat((1_048_576 - 2) / 4)}"`,
];
const BATCH: ConsumerBatch = { max_entries: 3, max_bytes: 1_048_576, max_wait_ms: 10_000 };

/** The requests in which a consumer gets entries of these data, and the secret with which they are signed. */
async function sentInBatches(
  stream: 'events' | 'records',
  body: ConsumerBody,
): Promise<{ secret: string; received: Received[] }> {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  for (const [index, data] of BATCHED.entries()) {
    if (stream === 'events') await world.append.events(someEvents(1, { data, from: index }));
    else {
      const key = { sync_id: 's', collection_id: 'shop:order', upstream_id: `o-${index}` };
      const records = [{ ...key, data: JSON.parse(data) as unknown }];
      expect((await world.api.request('POST', '/v1/records', { records })).status).toBe(200);
    }
  }
  const { body: target } = await world.api.request('POST', '/v1/targets', {
    name: 'r',
    base_url: receiver.url,
  });
  const given = { stream, body, batch: BATCH, ordering: 'stream', start: 'beginning' } as const;
  const consumer = await world.consumer(target.id, given);
  await world.caughtUp(consumer);
  expect((await world.get(consumer)).parked).toBe(0);
  return { secret: target.signing_secret, received: receiver.received };
}

test.concurrent.each([
  ...BODIES.map((body) => ({ stream: 'events' as const, body })),
  { stream: 'records' as const, body: { mode: 'full' } as const },
])(
  'batches of $stream with bodies of the mode $body.mode are verified by the libraries, from null to 1 MiB with emoji, and changed ones are refused',
  async ({ stream, body }) => {
    const { secret, received } = await sentInBatches(stream, body);
    expect(received.map(({ position }) => position)).toEqual([3, 6, 9, 10]);
    for (const one of received) {
      const { [stream]: elements } = JSON.parse(one.body) as Record<string, unknown[]>;
      expect(elements).toHaveLength(one.position === 10 ? 1 : 3);
      const signed = signedOf(one);
      expect(await takenBy(secret, signed)).toEqual(ALL);
      const more = one.body.replace(/\]\}$/u, ',null]}');
      expect(await takenBy(secret, { ...signed, body: more })).toEqual([]);
      const another = { ...signed.headers, 'webhook-id': received.at(-1)!.id };
      if (one.position < 10)
        expect(await takenBy(secret, { ...signed, headers: another })).toEqual([]);
      expect(one.body.includes('😀')).toBe(body.mode !== 'thin' && one.position > 3);
    }
    const sizes = received.map((one) => Buffer.byteLength(one.body));
    if (body.mode !== 'thin') expect(Math.min(...sizes.slice(2))).toBeGreaterThan(1_044_000);
  },
);

test.concurrent('a batch of CloudEvents is none itself, and each of its elements is one that the SDK reads', async () => {
  const { received } = await sentInBatches('events', { mode: 'cloudevents' });
  expect(received).toHaveLength(4);
  for (const { headers, body } of received) {
    expect(headers['content-type']).toBe('application/json');
    expect(HTTP.isEvent({ headers, body })).toBe(false);
    for (const element of (JSON.parse(body) as { events: { time: string }[] }).events) {
      const type = { 'content-type': 'application/cloudevents+json; charset=utf-8' };
      const event = HTTP.toEvent({ headers: type, body: JSON.stringify(element) });
      expect(event).toBeInstanceOf(CloudEvent);
      expect((event as CloudEvent).validate()).toBe(true);
      const { time, ...rest } = element;
      expect(event).toMatchObject({ source: '/v1/records/sync-1/shop%3Aorder', ...rest });
      expect(Date.parse((event as CloudEvent).time ?? '')).toBe(Date.parse(time));
    }
  }
});

test.concurrent('while a secret is rotated both secrets sign, for every library; afterwards only the new one does, without a restart', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const { body: target } = await world.api.request('POST', '/v1/targets', {
    name: 'r',
    base_url: receiver.url,
  });
  const consumer = await world.consumer(target.id);
  const old: string = target.signing_secret;
  const expiresIn = 15; // the first webhook has to be signed within it
  const { body: rotated } = await world.api.request(
    'POST',
    `/v1/targets/${target.id}/rotate-secret`,
    { expires_in: expiresIn },
  );
  const expiresAt = Date.now() + expiresIn * 1_000;
  const fresh: string = rotated.signing_secret;
  await world.append.events(someEvents(1));
  await world.caughtUp(consumer);
  const both = signedOf(receiver.received[0]!);
  expect(both.headers['webhook-signature']).toMatch(/^v1,\S+ v1,\S+$/u);
  expect(await takenBy(fresh, both)).toEqual(ALL);
  expect(await takenBy(old, both)).toEqual(ALL);

  await until(() => Date.now() > expiresAt + 1_000);
  await world.append.events(someEvents(1, { from: 1 }));
  await world.caughtUp(consumer);
  const last = signedOf(receiver.received.at(-1)!);
  expect(last.headers['webhook-signature']).toMatch(/^v1,\S+$/u);
  expect(await takenBy(fresh, last)).toEqual(ALL);
  expect(await takenBy(old, last)).toEqual([]);
});

test.concurrent('a running sender uses a rotated secret immediately, and another rotation ends the previous one', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver();
  const { body: target } = await world.api.request('POST', '/v1/targets', {
    name: 'r',
    base_url: receiver.url,
  });
  const consumer = await world.consumer(target.id);
  await world.append.events(someEvents(1));
  await world.caughtUp(consumer);
  const secrets: string[] = [target.signing_secret];
  for (const body of [undefined, {}, { expires_in: 0 }]) {
    const path = `/v1/targets/${target.id}/rotate-secret`;
    const { status, headers, body: answer } = await world.api.request('POST', path, body);
    expect([status, headers.get('cache-control')]).toEqual([200, 'no-store']);
    secrets.unshift(answer.signing_secret);
    await until(async () => {
      await world.append.events(someEvents(1));
      await world.caughtUp(consumer);
      return node(secrets[0]!, signedOf(receiver.received.at(-1)!));
    });
    const signed = signedOf(receiver.received.at(-1)!);
    const holds = await Promise.all(secrets.map((secret) => node(secret, signed)));
    const before = body?.expires_in !== 0;
    expect(holds.slice(0, 3)).toEqual([true, before, ...(holds.length > 2 ? [false] : [])]);
  }
});

test.concurrent('a rotation answers once with the target and its new secret; values beyond the bounds are refused by name', async () => {
  await using api = await openOwnApp();
  const { body: made } = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://example.com',
  });
  const path = `/v1/targets/${made.id}/rotate-secret`;
  const { body } = await api.request('POST', path, {});
  expect(body).toEqual({
    ...made,
    signing_secret: expect.stringMatching(/^whsec_[A-Za-z0-9+/]{43}=$/u),
    updated_at: expect.any(String),
    health: expect.any(Object),
  });
  expect(body.signing_secret).not.toBe(made.signing_secret);
  const read = await api.request('GET', `/v1/targets/${made.id}`);
  expect(read.body.signing_secret).toBe(`••••${body.signing_secret.slice(-4)}`);
  const { rows } = await api.db.query<{ left: number; row: string }>(
    'select extract(epoch from previous_expires_at - now())::float8 as left, t::text as row from targets t',
  );
  expect(rows[0]!.left).toBeGreaterThan(86_390);
  expect(rows[0]!.left).toBeLessThanOrEqual(86_401);
  for (const secret of [made.signing_secret, body.signing_secret]) {
    expect(rows[0]!.row).not.toContain(secret.slice(6));
  }
  for (const expires_in of [-1, 2_592_001, 1.5, '24h']) {
    const { status, body: problem } = await api.request('POST', path, { expires_in });
    expect([status, problem.errors[0].pointer]).toEqual([422, '/expires_in']);
  }
  const missing = `/v1/targets/${made.id.replace(/^.{8}/u, '00000000')}/rotate-secret`;
  expect((await api.request('POST', missing, {})).status).toBe(404);
});
