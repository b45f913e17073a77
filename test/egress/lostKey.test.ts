// a target whose secrets no configured key opens: shown, mended, and never sent elsewhere
import { expect, test } from 'vitest';

import { openApp, type TestApp } from '../support/app.ts';
import { createDatabase } from '../support/database.ts';

const SECRET = 'planted-token-of-a-target';
const sealed = {
  name: 'sealed',
  base_url: 'https://example.com/hooks',
  credentials: { type: 'bearer', token: SECRET },
};

/** Two APIs on one database whose encryption keys differ, as before and after a restart with other keys. */
async function openTwo(): Promise<
  AsyncDisposable & { before: TestApp; after: TestApp; id: string }
> {
  const database = await createDatabase();
  const before = openApp(database.url);
  const after = openApp(database.url);
  const { body } = await before.request('POST', '/v1/targets', sealed);
  await before.request('POST', `/v1/targets/${body.id}/rotate-secret`);
  return {
    before,
    after,
    id: body.id,
    [Symbol.asyncDispose]: async () => {
      await before[Symbol.asyncDispose]();
      await after[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

test('a target that cannot be opened does not break lists: it is listed with what to do', async () => {
  await using two = await openTwo();
  const { body: other } = await two.after.request('POST', '/v1/targets', {
    ...sealed,
    name: 'own',
  });
  const { status, body } = await two.after.request('GET', '/v1/targets');
  expect(status).toBe(200);
  expect(body.data.map((one: { id: string }) => one.id)).toEqual([other.id, two.id]); // newest first
  const shown = await two.after.request('GET', `/v1/targets/${two.id}`);
  expect(shown.body).toMatchObject({
    credentials: { type: 'unreadable' },
    signing_secret: '••••',
    unreadable: ['credentials', 'signing_secret', 'previous_signing_secret'],
    health: {
      status: 'error',
      notes: [
        expect.stringContaining("the target's credentials does not open"),
        expect.stringContaining("the target's signing secret does not open"),
        expect.stringContaining("the target's previous signing secret does not open"),
      ],
    },
  });
  expect((await two.before.request('GET', `/v1/targets/${two.id}`)).body.health.status).toBe('ok');
});

test('a test of a target that cannot be opened is refused with the reason', async () => {
  await using two = await openTwo();
  const { status, body } = await two.after.request('POST', `/v1/targets/${two.id}/test`);
  expect([status, body.code]).toEqual([409, 'target_unreadable']);
  expect(body.detail).toContain('save the credentials again');
});

test('a value that is sent back as it was shown stays as it is stored, in case the key comes back', async () => {
  await using two = await openTwo();
  const shown = { credentials: { type: 'unreadable' }, signing_secret: '••••', name: 'renamed' };
  const patched = await two.after.request('PATCH', `/v1/targets/${two.id}`, shown);
  expect([patched.status, patched.body.name]).toEqual([200, 'renamed']);
  const { body } = await two.before.request('GET', `/v1/targets/${two.id}`);
  expect(body).toMatchObject({
    name: 'renamed',
    credentials: { type: 'bearer', token: '••••rget' },
    health: { status: 'ok' },
  });
});

test('credentials that cannot be read now are never sent to another origin later', async () => {
  await using two = await openTwo();
  const path = `/v1/targets/${two.id}`;
  const base_url = 'https://evil.example.com/hooks';
  for (const more of [{}, { credentials: { type: 'unreadable' } }]) {
    const { status, body } = await two.after.request('PATCH', path, { base_url, ...more });
    expect([status, body.errors?.[0]?.pointer]).toEqual([422, '/credentials']);
  }
  const credentials = { type: 'bearer', token: 'a-token-for-the-other-host' };
  const whole = await two.after.request('PATCH', path, { base_url, credentials });
  expect(whole.status).toBe(200);
});

test('secret headers that cannot be read now are kept, and never sent to another origin later', async () => {
  await using two = await openTwo();
  const path = `/v1/targets/${two.id}`;
  const headers = { 'x-team': 'shop', 'x-api-key': 'planted-key-of-a-target' };
  expect((await two.before.request('PATCH', path, { headers })).status).toBe(200);
  const { body } = await two.after.request('GET', path);
  expect(body.headers).toEqual({ 'x-team': 'shop' });
  expect(body.unreadable).toContain('headers');
  expect((await two.after.request('PATCH', path, { name: 'renamed' })).status).toBe(200);
  expect((await two.before.request('GET', path)).body.headers['x-api-key']).toMatch(/^••••/u);

  const elsewhere = {
    base_url: 'https://evil.example.com/hooks',
    credentials: { type: 'bearer', token: 'a-token-for-the-other-host' },
  };
  const refused = await two.after.request('PATCH', path, elsewhere);
  expect([refused.status, refused.body.errors?.[0]?.pointer]).toEqual([422, '/headers']);
  const whole = await two.after.request('PATCH', path, { ...elsewhere, headers: {} });
  expect([whole.status, whole.body.unreadable]).toEqual([
    200,
    ['signing_secret', 'previous_signing_secret'],
  ]);
});

test('new credentials and a rotation repair such a target, and the mask of a value that cannot be read is refused', async () => {
  await using two = await openTwo();
  const path = `/v1/targets/${two.id}`;
  const masked = { credentials: { type: 'bearer', token: '••••rget' } };
  expect((await two.after.request('PATCH', path, masked)).status).toBe(422);
  const credentials = { type: 'bearer', token: 'another-token-of-the-target' };
  expect((await two.after.request('PATCH', path, { credentials })).status).toBe(200);
  const rotated = await two.after.request('POST', `${path}/rotate-secret`);
  expect(rotated.status).toBe(200);
  expect(rotated.body.signing_secret).toMatch(/^whsec_/u);
  expect(rotated.body.health).toMatchObject({ status: 'ok', notes: [] });
  const unreadable = { credentials: { type: 'unreadable' } };
  expect((await two.after.request('PATCH', path, unreadable)).status).toBe(422);
});

test('a repeated request whose stored answer was sealed with a lost key is refused, and not carried out again', async () => {
  await using two = await openTwo();
  const key = { 'idempotency-key': 'one' };
  const repeated = { ...sealed, name: 'repeated' };
  expect((await two.before.request('POST', '/v1/targets', repeated, key)).status).toBe(201);
  const { status, body } = await two.after.request('POST', '/v1/targets', repeated, key);
  expect([status, body.code]).toEqual([409, 'idempotency_unreadable']);
  const { body: list } = await two.after.request('GET', '/v1/targets');
  expect(list.data).toHaveLength(2);
});
