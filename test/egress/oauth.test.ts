import { expect, test, vi } from 'vitest';

import { createEgress } from '../../src/egress/egress.ts';
import { createTokens, createTokenSource, type TokenFailure } from '../../src/egress/oauth.ts';
import { LOOPBACK } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver, type Respond } from '../support/receiver.ts';
import { grant, openTokenServer, type TokenServer } from '../support/tokenServer.ts';
import { openWorld, someEvents } from '../support/world.ts';

const egress = createEgress({ allowCidrs: LOOPBACK });
const options = { egress, userAgent: 'Millrace/test' };
const clientOf = (tokens: TokenServer) => ({
  type: 'oauth2' as const,
  token_url: tokens.url,
  client_id: 'id:with space',
  client_secret: 'sécret+&/%',
  scope: 'hooks write',
});

/** Takes what carries this token, and answers 401 to everything else. */
const wants =
  (token: string): Respond =>
  (one, response) => {
    if (one.headers.authorization === `Bearer ${token}`) accept(one, response);
    else response.writeHead(401).end('who are you?');
  };

test('a token is requested as in RFC 6749, once for all senders that wait, and is then kept', async () => {
  await using tokens = await openTokenServer();
  const source = createTokenSource(options, clientOf(tokens));
  expect(source.current()).toBeNull();
  const got = await Promise.all([source.renew(null), source.renew(null), source.renew(null)]);
  expect(got).toEqual(['token-1', 'token-1', 'token-1']);
  expect([source.current(), await source.renew(null)]).toEqual(['token-1', 'token-1']);
  const [asked, ...more] = tokens.asked;
  expect(more).toEqual([]);
  const pair = Buffer.from(asked!.authorization.replace('Basic ', ''), 'base64').toString();
  expect(pair).toBe('id%3Awith+space:s%C3%A9cret%2B%26%2F%25');
  expect(Object.fromEntries(asked!.form)).toEqual({
    grant_type: 'client_credentials',
    scope: 'hooks write',
  });
});

test('a refused token is replaced once for all senders that held it', async () => {
  await using tokens = await openTokenServer();
  const source = createTokenSource(options, clientOf(tokens));
  await source.renew(null);
  const fresh = await Promise.all([source.renew('token-1'), source.renew('token-1')]);
  expect([fresh, await source.renew('token-1')]).toEqual([['token-2', 'token-2'], 'token-2']);
  expect(tokens.asked).toHaveLength(2);
});

test('a token is replaced before it expires, while the one before is still used', async () => {
  await using tokens = await openTokenServer();
  const source = createTokenSource(options, clientOf(tokens));
  await source.renew(null);
  expect([source.current(), tokens.asked.length]).toEqual(['token-1', 1]);
  // It holds for an hour: a minute before its end is time enough for the next one.
  const now = performance.now.bind(performance);
  using later = vi.spyOn(performance, 'now');
  later.mockImplementation(() => now() + 3_545_000);
  // Asked like a sender does; at no time is there none.
  const seen = await until(() => {
    const token = source.current();
    expect(token).not.toBeNull();
    return token !== 'token-1' && token;
  });
  expect([seen, tokens.asked.length]).toEqual(['token-2', 2]);
});

test('another version of a target does not use the token of the previous one', async () => {
  await using server = await openTokenServer();
  const tokens = createTokens(options);
  const client = clientOf(server);
  const first = tokens.of({ id: 'a', version: 1 }, client);
  await first.renew(null);
  expect(tokens.of({ id: 'a', version: 1 }, client).current()).toBe('token-1');
  expect(tokens.of({ id: 'b', version: 1 }, client).current()).toBeNull();
  expect(tokens.of({ id: 'a', version: 2 }, client).current()).toBeNull();
});

const JSON_TYPE = { 'content-type': 'application/json' };
test.each<[string, TokenServer['respond'], string]>([
  [
    'an error of RFC 6749',
    (response) =>
      response.writeHead(401, JSON_TYPE).end('{"error":"invalid_client","error_description":"s"}'),
    'the token endpoint answered HTTP 401: invalid_client',
  ],
  [
    'an echo of the secret',
    (response) => response.writeHead(400, JSON_TYPE).end('{"error":"sécret+&/%"}'),
    'the token endpoint answered HTTP 400',
  ],
  [
    'a redirect',
    (response) => response.writeHead(302, { location: '/token' }).end(),
    'the token endpoint answered HTTP 302',
  ],
  [
    'no JSON',
    (response) => response.end('<html>'),
    'the token endpoint answered without a usable access_token',
  ],
  [
    'a token that would end the header line',
    (response) => grant(response, 'a\r\nx-evil: 1'),
    'the token endpoint answered without a usable access_token',
  ],
  [
    'a token of another type',
    (response) => response.end('{"access_token":"a","token_type":"mac"}'),
    'the token endpoint answered with a token that is not a bearer token',
  ],
  [
    'a lost connection',
    (response) => response.socket?.destroy(),
    'the token endpoint could not be reached: connection lost before an answer (UND_ERR_SOCKET)',
  ],
])('%s is CREDENTIALS_FAILED and says so without a secret', async (_what, respond, detail) => {
  await using tokens = await openTokenServer();
  tokens.respond = respond;
  const failure = await createTokenSource(options, clientOf(tokens))
    .renew(null)
    .then(
      () => null,
      (error: TokenFailure) => error,
    );
  expect(failure?.outcome).toMatchObject({ kind: 'failed', code: 'CREDENTIALS_FAILED', detail });
});

test('a token endpoint at a private address is not asked', async () => {
  await using tokens = await openTokenServer();
  const closed = { ...options, egress: createEgress({ allowCidrs: [] }) };
  const asking = createTokenSource(closed, clientOf(tokens)).renew(null);
  await expect(asking).rejects.toMatchObject({ outcome: { code: 'CREDENTIALS_FAILED' } });
  expect(tokens.asked).toEqual([]);
});

test('deliveries carry one token for all; a 401 is answered with a fresh one within the same attempt', async () => {
  await using world = await openWorld();
  await using tokens = await openTokenServer();
  await using receiver = await openReceiver(wants('token-1'));
  const target = await world.target(receiver.url, { credentials: clientOf(tokens) });
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(200));
  await world.caughtUp(consumer);
  expect(tokens.asked).toHaveLength(1);
  expect(receiver.received).toHaveLength(200);

  receiver.respond = wants('token-2'); // the first one was revoked
  await world.append.events(someEvents(50, { from: 200 }));
  await world.caughtUp(consumer);
  expect(tokens.asked).toHaveLength(2);
  expect(receiver.received.filter(({ status }) => status === 204)).toHaveLength(250);
  expect(receiver.received.map(({ attempt }) => attempt)).toEqual(receiver.received.map(() => 1));
  const { body } = await world.api.request('GET', `/v1/consumers/${consumer}`);
  expect([body.status, body.failing_since]).toEqual(['active', null]);
});

test('without a token the endpoint fails, a Retry-After of the token endpoint is kept, and nothing is sent', async () => {
  await using world = await openWorld();
  await using tokens = await openTokenServer();
  await using receiver = await openReceiver();
  tokens.respond = (response) => response.writeHead(503, { 'retry-after': '1800' }).end();
  const target = await world.target(receiver.url, { credentials: clientOf(tokens) });
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(20));
  await world.becomes(consumer, 'blocked');
  const waits = await until(async () => {
    const { next_attempt_at } = await world.get(consumer);
    return next_attempt_at !== null && Date.parse(next_attempt_at) - Date.now();
  });
  expect(waits).toBeGreaterThan(1_700_000);
  expect(receiver.received).toEqual([]);
  const { rows } = await world.db.query('select distinct error_code from attempts');
  expect(rows).toEqual([{ error_code: 'CREDENTIALS_FAILED' }]);
});

test('an endpoint that refuses every token fails as one that answers 401', async () => {
  await using tokens = await openTokenServer();
  await using receiver = await openReceiver(wants('none'));
  await using world = await openWorld({ worker: false });
  const draft = { name: 'd', base_url: receiver.url, credentials: clientOf(tokens) };
  const { body } = await world.api.request('POST', '/v1/targets/test', draft);
  expect(body).toMatchObject({ outcome: 'failed', status: 401, error_code: 'HTTP_4XX' });
  expect([receiver.received.length, tokens.asked.length]).toEqual([2, 2]);
});

test('a client secret comes back masked, is kept when the mask is sent back, and is not moved to another token endpoint', async () => {
  await using world = await openWorld({ worker: false });
  const credentials = {
    type: 'oauth2',
    token_url: 'https://id.example.com/token',
    client_id: 'me',
    client_secret: 'planted-client-secret',
  };
  const { body: made } = await world.api.request('POST', '/v1/targets', {
    name: 't',
    base_url: 'https://example.com',
    credentials,
  });
  expect(made.credentials).toEqual({ ...credentials, client_secret: '••••cret' });
  const path = `/v1/targets/${made.id}`;
  const kept = await world.api.request('PATCH', path, {
    credentials: { ...made.credentials, client_id: 'you' },
  });
  expect([kept.status, kept.body.credentials.client_id]).toEqual([200, 'you']);
  const moved = await world.api.request('PATCH', path, {
    credentials: { ...made.credentials, token_url: 'https://evil.example.com/token' },
  });
  expect([moved.status, moved.body.errors[0].pointer]).toEqual([422, '/credentials/client_secret']);
  for (const [more, pointer] of [
    [
      { credentials: { ...credentials, token_url: 'http://169.254.169.254/t' } },
      '/credentials/token_url',
    ],
    [{ credentials, headers: { Authorization: 'x' } }, '/headers/Authorization'],
    [{ credentials: { ...credentials, scope: 'a"b' } }, '/credentials/scope'],
  ] as const) {
    const { status, body } = await world.api.request('POST', '/v1/targets', {
      name: 't',
      base_url: 'https://example.com',
      ...more,
    });
    expect([status, body.errors[0].pointer]).toEqual([422, pointer]);
  }
});
