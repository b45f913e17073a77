import { Webhook } from 'standardwebhooks';
import { expect, test } from 'vitest';

import { openOwnApp } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

test('a target is tested with a webhook that its own secret verifies; the answer says what came back', async () => {
  await using api = await openOwnApp();
  await using receiver = await openReceiver((_one, response) =>
    response.writeHead(201).end('welcome'),
  );
  const { body: target } = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: `${receiver.url}/in?a=1`,
    credentials: { type: 'bearer', token: 'planted-token' },
  });
  const { status, body } = await api.request('POST', `/v1/targets/${target.id}/test`);
  expect(status).toBe(200);
  expect(body).toMatchObject({
    outcome: 'delivered',
    status: 201,
    error_code: null,
    response_head: 'welcome',
  });
  const [one] = receiver.received;
  expect(one).toMatchObject({ path: '/hook/in?a=1', id: body.message_id, body: body.request.body });
  expect(one?.headers.authorization).toBe('Bearer planted-token');
  const headers = one?.headers as Record<string, string>;
  expect(new Webhook(target.signing_secret).verify(one?.body ?? '', headers)).toHaveProperty(
    'test',
  );
  expect(JSON.stringify(body)).not.toContain('planted-token');

  receiver.respond = (_one, response) => response.writeHead(503).end('not now');
  const failed = await api.request('POST', `/v1/targets/${target.id}/test`);
  expect([failed.status, failed.body]).toEqual([
    200,
    expect.objectContaining({
      outcome: 'failed',
      status: 503,
      error_code: 'HTTP_5XX',
      response_head: 'not now',
    }),
  ]);
  const secret = `whsec_${Buffer.alloc(32, 7).toString('base64')}`;
  const own = { name: 'draft', base_url: receiver.url, signing_secret: secret };
  expect((await api.request('POST', '/v1/targets/test', own)).status).toBe(200);
  const drafted = receiver.received.at(-1);
  const signed = drafted?.headers as Record<string, string>;
  expect(new Webhook(secret).verify(drafted?.body ?? '', signed)).toHaveProperty('test');
  const draft = { name: 'draft', base_url: 'http://127.0.0.1:9' };
  const refused = await api.request('POST', '/v1/targets/test', draft);
  expect(refused.body).toMatchObject({ outcome: 'failed', error_code: 'CONNECTION_REFUSED' });
  expect((await api.request('GET', '/v1/targets')).body.data).toHaveLength(1);
});

/** An answer is awaited for twice as long as this after it. */
const TIMEOUT_MS = 2_000;
const ANSWERS_AFTER_MS = 3_000;

test('a test of a target that answers too late says that it answers, and after how long', async () => {
  await using api = await openOwnApp();
  await using receiver = await openReceiver((_one, response) => {
    setTimeout(() => response.writeHead(204).end(), ANSWERS_AFTER_MS);
  });
  const { body: target } = await api.request('POST', '/v1/targets', {
    name: 't',
    base_url: receiver.url,
    timeout_ms: TIMEOUT_MS,
  });
  const { body } = await api.request('POST', `/v1/targets/${target.id}/test`);
  expect(body).toMatchObject({ outcome: 'failed', status: null, error_code: 'TIMEOUT' });
  const [, seconds] =
    /^no answer within 2000 ms; it answers, but later than its timeout \(HTTP 204 after about ([\d.]+) s\)$/u.exec(
      body.detail,
    ) ?? [];
  expect(Number(seconds)).toBeGreaterThanOrEqual(ANSWERS_AFTER_MS / 1_000 - 0.1);

  receiver.respond = () => undefined;
  const { body: silent } = await api.request('POST', `/v1/targets/${target.id}/test`);
  expect(silent).toMatchObject({ outcome: 'failed', detail: 'no answer within 2000 ms' });
});

test('blocked consumers of a target are tried immediately when a test of the target succeeds, and only then', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((_one, response) => response.writeHead(503).end());
  const target = await world.target(receiver.url);
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(3));
  // Its next attempt is some seconds away.
  const next = await until(
    async () => {
      const at = Date.parse((await world.get(consumer)).next_attempt_at ?? '');
      return at - Date.now() > 15_000 && at;
    },
    { timeoutMs: 90_000 },
  );
  const retries = "select actor, detail from changes where action = 'retried'";
  await world.api.request('POST', `/v1/targets/${target}/test`);
  expect((await world.get(consumer)).status).toBe('blocked');
  expect((await world.db.query(retries)).rows).toHaveLength(0);

  receiver.respond = accept;
  const tested = await world.api.request('POST', `/v1/targets/${target}/test`);
  expect(tested.body.outcome).toBe('delivered');
  await world.caughtUp(consumer);
  expect(performance.timeOrigin + (receiver.received.at(-1)?.at ?? Infinity)).toBeLessThan(next);
  expect((await world.get(consumer)).status).toBe('active');
  const { rows } = await until(async () => {
    const found = await world.db.query(retries);
    return found.rows.length > 0 && found;
  });
  expect(rows).toEqual([{ actor: 'bootstrap', detail: { because: 'target_tested' } }]);
});

test('after a successful test nothing is sent before the end of a Retry-After, unless the URL is another one', async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((_one, response) =>
    response.writeHead(503, { 'retry-after': '3600' }).end(),
  );
  await using fresh = await openReceiver();
  const target = await world.target(receiver.url);
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(3));
  await world.becomes(consumer, 'blocked');
  const { length } = receiver.received;
  receiver.respond = accept;
  await world.api.request('POST', `/v1/targets/${target}/test`);
  expect(receiver.received).toHaveLength(length + 1); // the test itself
  await world.api.request('PATCH', `/v1/targets/${target}`, { base_url: fresh.url });
  await world.caughtUp(consumer);
  expect(receiver.received).toHaveLength(length + 1);
  expect(fresh.received).toHaveLength(3);
});

test('a credential that the endpoint repeats across the end of the stored part of its answer is hidden', async () => {
  await using api = await openOwnApp();
  await using receiver = await openReceiver();
  const token = 'planted_token_0123456789_abcdefgh';
  const draft = { name: 't', base_url: receiver.url, credentials: { type: 'bearer', token } };
  for (const shown of [4, 20, token.length - 1, token.length]) {
    for (const cutOff of [false, true]) {
      receiver.respond = ({ headers }, response) => {
        const text =
          'x'.repeat(2_048 - shown) + String(headers.authorization).slice('Bearer '.length);
        response.writeHead(400);
        if (cutOff) response.write(text.slice(0, 2_048), () => response.destroy());
        else response.end(text);
      };
      const { body } = await api.request('POST', '/v1/targets/test', draft);
      expect(body.response_head).toMatch(/^x+(?:•{0,4})$/u);
    }
  }
});
