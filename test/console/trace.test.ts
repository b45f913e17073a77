import { randomUUID } from 'node:crypto';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { emptyBatch } from '../../src/progress/attemptLog.ts';
import { createProgress } from '../../src/progress/progress.ts';
import type { AttemptTrace } from '../../src/schema/attemptTrace.ts';
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

/** A consumer with one failed attempt at an event, and that attempt's id. */
async function failed(trace: AttemptTrace | null): Promise<{ id: string; attempt: string }> {
  const position = await opened.append('traced');
  const { id } = await opened.create({ name: `Traced ${randomUUID()}` });
  const progress = createProgress(opened.api.db);
  const lease = await progress.acquire(id, 'here', 60_000);
  const { body } = await opened.api.request('GET', '/v1/events?limit=1000');
  const eventId: string = body.events.at(-1).event_id;
  const attempt = {
    position,
    messageId: eventId,
    eventId,
    attempt: 1,
    startedAt: Date.now(),
    durationMs: 1_546,
    outcome: 'failed' as const,
    status: 503,
    errorCode: 'HTTP_5XX' as const,
    responseHead: 'busy',
    nextAttemptAt: null,
    trace,
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
    'Order 0 ms',
    'Limits 12 ms',
    'Connection 0.2 ms',
    'DNS 3 ms',
    'TCP 9.4 ms',
    'TLS 21 ms',
    'Sending 0 ms',
    'Waiting 1.5 s',
    'Response 0.4 ms',
  ]);
});

test('where no trace of a request was kept, the request is rebuilt and marked as such', async () => {
  const { id, attempt } = await failed(null);
  await using tab = await openTab();
  await site.signIn(tab.context);
  const { page } = tab;
  await openPage(page, `${site.url}/consumers/${id}?delivery=${attempt}`);
  const drawer = page.getByRole('dialog');
  await drawer.getByLabel('Response', { exact: true }).getByText('busy').waitFor();
  expect(await drawer.getByRole('table', { name: 'Where the time went' }).count()).toBe(0);
  expect(await drawer.getByLabel('Request', { exact: true }).count()).toBe(0);
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
  const waited = page.getByRole('row', { name: /^Waiting/u });
  await waited.waitFor();
  expect(await waited.innerText()).toMatch(/\d{3} ms/u);
  const response = await page.getByLabel('Response', { exact: true }).innerText();
  expect(response).toMatch(/^HTTP 200\n[^]*\n\ntaken$/u);
});
