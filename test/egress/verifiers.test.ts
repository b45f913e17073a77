import { Webhook } from 'standardwebhooks';
import { beforeAll, expect, test } from 'vitest';

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

test('webhooks are verified by the official libraries of Node, Python and Go, and changed ones are refused', async () => {
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

test('while a secret is rotated both secrets sign, for every library; afterwards only the new one does, without a restart', async () => {
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

test('a running sender uses a rotated secret immediately, and another rotation ends the previous one', async () => {
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

test('a rotation answers once with the target and its new secret; values beyond the bounds are refused by name', async () => {
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
