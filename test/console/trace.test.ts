import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createProgress } from '../../src/progress/progress.ts';
import type { AttemptTrace } from '../../src/schema/attemptTrace.ts';
import { KEY } from '../support/app.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { openReceiver } from '../support/receiver.ts';
import { serve, type Served } from '../support/serve.ts';

const openTab = browserOfFile();
let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

const TRACE: AttemptTrace = {
  url: 'https://old.example.com/hooks',
  request_headers: [
    { name: 'x-env', value: 'staging' },
    { name: 'authorization', value: '••••' },
  ],
  request_bytes: 20,
  response_headers: [{ name: 'retry-after', value: '120' }],
  response_bytes: 4,
  timings: {
    lane: 0,
    pace: 12,
    prepare: null,
    connection: 0.2,
    dns: 3,
    connect: 9.4,
    tls: 21,
    request: 0,
    first_byte: 1_500,
    body: 0.4,
  },
};

interface Failed {
  id: string;
  attempt: string;
}

/** A consumer with one failed attempt at an event, and that attempt's id. */
async function failed(trace: AttemptTrace | null, targetId = opened.targetId): Promise<Failed> {
  const position = await opened.append('traced');
  const { id } = await opened.create({ name: `Traced ${randomUUID()}`, target_id: targetId });
  const { body } = await opened.api.request('GET', '/v1/events?limit=1000');
  const eventId: string = body.events.at(-1).event_id;
  return failedAt(id, { position, messageId: eventId, eventId, trace });
}

/** As text, so that no digit is lost. */
async function appendRecord(upstreamId: string, data: string): Promise<void> {
  const names = { sync_id: 's', collection_id: 'shop:order', upstream_id: upstreamId };
  const record = `${JSON.stringify(names).slice(0, -1)},"data":${data}}`;
  const { status } = await opened.api.request('POST', '/v1/records', `{"records":[${record}]}`);
  expect(status).toBe(200);
}

/** The same at a version of a record, which is appended for it. */
async function failedAtRecord(
  upstreamId: string,
  data: string,
  trace: AttemptTrace | null,
): Promise<Failed> {
  await appendRecord(upstreamId, data);
  const { body } = await opened.api.request('GET', '/v1/records?limit=1000');
  const { version_id: messageId, updated_idx: position } = body.records.at(-1);
  const { id } = await opened.create({ name: `Traced ${randomUUID()}`, stream: 'records' });
  const sent = trace && { ...trace, request_bytes: await bytesOf(upstreamId) };
  return failedAt(id, { position, messageId, eventId: null, trace: sent });
}

/** How long the body of a record's webhook is. */
async function bytesOf(upstreamId: string): Promise<number> {
  const answer = await opened.api.app.request(`/v1/records/s/shop:order/${upstreamId}`, {
    headers: { authorization: `Bearer ${KEY}` },
  });
  return Buffer.byteLength(`{"record":${await answer.text()}}`);
}

/** Stores a failed attempt as a sender would. */
async function failedAt(
  id: string,
  sent: { position: number; messageId: string; eventId: string | null; trace: AttemptTrace | null },
): Promise<Failed> {
  const { position } = sent;
  const progress = createProgress(opened.api.db);
  const lease = await progress.acquire(id, 'here', 60_000);
  const attempt = {
    ...sent,
    attempt: 1,
    startedAt: Date.now(),
    durationMs: 1_546,
    outcome: 'failed' as const,
    status: 503,
    errorCode: 'HTTP_5XX' as const,
    responseHead: 'busy',
    nextAttemptAt: null,
  };
  const none = { position: position - 1, ahead: [], batch: emptyBatch(), parked: null };
  const own = { ...none, consumerId: id, epoch: lease!.epoch, attempts: [attempt] };
  await progress.commit([own], 60_000);
  const list = await opened.api.request('GET', `/v1/consumers/${id}/attempts`);
  return { id, attempt: list.body.data[0].id };
}

test('a delivery shows the request, the answer and where the time went, even if its target has changed since', async () => {
  const { id, attempt } = await failed(TRACE);
  await using tab = await openTab();
  await site.signIn(tab.context);
  const { page } = tab;
  await openPage(page, `${site.url}/consumers/${id}?delivery=${attempt}`);
  const drawer = page.getByRole('dialog');
  const request = drawer.getByLabel('Request', { exact: true });
  await request.waitFor();
  const sent = await request.innerText();
  expect(sent).toContain('POST https://old.example.com/hooks');
  expect(sent).toContain('x-env: staging');
  expect(sent).toContain('authorization: ••••');
  const response = await drawer.getByLabel('Response', { exact: true }).innerText();
  expect(response).toBe('HTTP 503\nretry-after: 120\n\nbusy');
  const rows = drawer.getByRole('table', { name: 'Where the time went' }).getByRole('row');
  const shown = (await rows.allInnerTexts()).map((text) => text.split('\t').slice(0, 2).join(' '));
  expect(shown.slice(1)).toEqual([
    'waited for its lane 0 ms',
    'waited for its pace 12 ms',
    'waited for a connection 0.2 ms',
    'DNS 3 ms',
    'connect 9.4 ms',
    'TLS 21 ms',
    'request 0 ms',
    'first byte 1.5 s',
    'body 0.4 ms',
  ]);
});

test('where nothing was kept of a request, what is shown is called rebuilt', async () => {
  const { body: target } = await opened.api.request('POST', '/v1/targets', {
    name: 'Rebuilt',
    base_url: 'https://example.com/rebuilt',
    headers: { 'x-env': 'first' },
  });
  const { id, attempt } = await failed(null, target.id);
  await using tab = await openTab();
  await site.signIn(tab.context);
  const { page } = tab;
  await openPage(page, `${site.url}/consumers/${id}?delivery=${attempt}`);
  const drawer = page.getByRole('dialog');
  await drawer.getByLabel('Response', { exact: true }).getByText('busy').waitFor();
  expect(await drawer.getByRole('table', { name: 'Where the time went' }).count()).toBe(0);
  expect(await drawer.getByLabel('Request', { exact: true }).count()).toBe(0);
  const rebuilt = drawer.getByLabel('Request, rebuilt', { exact: true });
  await expect.poll(() => rebuilt.innerText()).toContain('x-env: first');
  await expect.poll(() => rebuilt.innerText()).toContain('POST https://example.com/rebuilt\n');
  await drawer.getByText('those of the target and the consumer as they are today').waitFor();
  expect(await drawer.getByText('has been changed since this attempt').count()).toBe(0);

  await opened.setCursor(id, 'holder = null, lease_until = null'); // an edit waits for no sender
  const changed = await opened.api.request('PATCH', `/v1/targets/${target.id}`, {
    headers: { 'x-env': 'second' },
  });
  expect(changed.status).toBe(200);
  await openPage(page, `${site.url}/consumers/${id}?delivery=${attempt}`);
  await drawer.getByText('The target has been changed since this attempt.').waitFor();
  await expect.poll(() => rebuilt.innerText()).toContain('x-env: second');
  expect(await drawer.getByText('as they are today').count()).toBe(0);
});

test('the body of a record is shown as long as that version is the latest, and then why it is not', async () => {
  const record = randomUUID();
  const digits = '12345678901234567890';
  const { id, attempt } = await failedAtRecord(record, `{"total":${digits}}`, TRACE);
  const other = await failedAtRecord(randomUUID(), '{"total":5}', null);
  await using tab = await openTab();
  await site.signIn(tab.context);
  const { page } = tab;
  const drawer = page.getByRole('dialog');
  const changed = drawer.getByText('The record has changed since this version was sent.');
  await openPage(page, `${site.url}/consumers/${other.id}?delivery=${other.attempt}`);
  const rebuilt = drawer.getByLabel('Request, rebuilt', { exact: true });
  await rebuilt.getByText('"total":5').waitFor();
  await openPage(page, `${site.url}/consumers/${id}?delivery=${attempt}`);
  const request = drawer.getByLabel('Request', { exact: true });
  await request.getByText(`"total":${digits}`).waitFor();
  await expect.poll(() => request.innerText()).toMatch(/\n\n\{"record":\{.*\}\}$/u);
  await drawer.getByLabel('formatted').check();
  await expect.poll(() => request.innerText()).toMatch(/\n\n\{\n {2}"record": \{/u);
  await request.getByText(`"total": ${digits}`).waitFor();
  expect(await changed.count()).toBe(0);
  await appendRecord(record, '{"total":6}');
  await openPage(page, `${site.url}/consumers/${id}?delivery=${attempt}`);
  await changed.waitFor();
  await expect.poll(() => request.innerText()).toMatch(/\n\n\(\d{3} bytes\)$/u);
});

test('a test webhook shows where its time went', async () => {
  await using receiver = await openReceiver((_, response) => {
    setTimeout(() => response.writeHead(200).end('taken'), 100);
  });
  await using tab = await openTab();
  await site.signIn(tab.context);
  const { page } = tab;
  await openPage(page, `${site.url}/targets/new`);
  await page.getByLabel('Base URL').fill(receiver.url);
  await page.getByRole('button', { name: 'Send test webhook' }).click();
  const firstByte = page.getByRole('row', { name: /^first byte/u });
  await firstByte.waitFor();
  await expect.poll(() => firstByte.innerText()).toMatch(/\d{3} ms|\d s/u); // at least as long as it was held
  const response = await page.getByLabel('Response', { exact: true }).innerText();
  expect(response).toMatch(/^HTTP 200\n[^]*\n\ntaken$/u);
});
