import { afterAll, beforeAll, expect, test } from 'vitest';

import type { SearchResult } from '../../src/schema/search.ts';
import { KEY } from '../support/app.ts';
import { createBatchSender, DELIVERED } from '../support/batchSender.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { openConsumersApi, type ConsumersApi } from '../support/consumers.ts';
import { serve, type Served } from '../support/serve.ts';

let opened: ConsumersApi;
let site: Served;
beforeAll(async () => {
  opened = await openConsumersApi();
  site = await serve(opened.api);
  await opened.create({ name: 'CRM of ACME' });
  await opened.api.request('POST', '/v1/records', {
    records: [
      { sync_id: 'shop', collection_id: 'stripe:customer', upstream_id: 'cus_1', data: {} },
    ],
  });
});
afterAll(async () => {
  await site[Symbol.asyncDispose]();
  await opened[Symbol.asyncDispose]();
});

const find = (...args: string[]): Promise<CliResult> =>
  runCli(['find', ...args], { MILLRACE_URL: site.url, MILLRACE_API_KEY: KEY });

test('find prints what was found as a table, or as the API answers it', async () => {
  const consumer = await find('crm');
  expect(consumer).toMatchObject({ code: 0, stderr: '' });
  const [head, first, ...rest] = consumer.stdout.trimEnd().split('\n');
  expect(head).toMatch(/^KIND +NAME +ID +ABOUT$/u);
  expect(first).toMatch(/^consumer +CRM of ACME +[\da-f-]{36} +active, to one$/u);
  expect(rest).toEqual([]);
  const record = await find('cus_1');
  expect(record.stdout).toMatch(/^record +cus_1 .* stripe:customer of shop, position 1$/mu);
  expect(record.stdout).toMatch(/^event +cus_1 .* created, stripe:customer of shop, position 1$/mu);
  const { code, stdout } = await find('cus_1', '--json', '--limit', '1');
  const { data } = JSON.parse(stdout) as SearchResult;
  expect([code, ...data.map(({ kind }) => kind)]).toEqual([0, 'record', 'event']);
});

test('find leads from the webhook-id of a batch to its consumer and its attempts, and says when none is stored', async () => {
  const sender = await createBatchSender(opened, 'Batching');
  const batch = await sender.sent([70, 71], Date.now() - 1_000, [DELIVERED, DELIVERED]);
  const found = await find(batch);
  expect(found).toMatchObject({ code: 0, stderr: '' });
  expect(found.stdout).toMatch(
    /^batch +Batching +batch_70_[\da-f]{24} +2 entries from position 70 on, delivered \(204\) at \S+; see attempts --batch-id$/mu,
  );
  const args = ['attempts', sender.id, '--batch-id', batch, '--json'];
  const listed = await runCli(args, { MILLRACE_URL: site.url, MILLRACE_API_KEY: KEY });
  const { data } = JSON.parse(listed.stdout) as { data: { position: number }[] };
  expect(new Set(data.map(({ position }) => position))).toEqual(new Set([70, 71]));
  expect(data).toHaveLength(2);

  const unknown = await find(batch.replace('_70_', '_69_'));
  expect(unknown).toMatchObject({ code: 3, stdout: '' });
  expect(unknown.stderr).toContain('whose first entry is at position 69, no attempt is stored.');
});

test('find lists what was appended in a trace, and says where it looked when that is nothing', async () => {
  const trace = '4bf92f3577b34da6a3ce929d0e0e4736';
  const header = { traceparent: `00-${trace}-00f067aa0ba902b7-01` };
  const of = { sync_id: 'shop', collection_id: 'stripe:customer', data: {} };
  const records = [{ ...of, upstream_id: 'cus_traced' }];
  await opened.api.request('POST', '/v1/records', { records }, header);
  const found = await find(trace);
  expect(found).toMatchObject({ code: 0, stderr: '' });
  expect(found.stdout).toMatch(/^record +cus_traced .* stripe:customer of shop, position \d+$/mu);
  expect(found.stdout).toMatch(/^event +cus_traced .* created, stripe:customer of shop/mu);
  const none = await find('f'.repeat(32));
  expect(none).toMatchObject({ code: 3, stdout: '' });
  expect(none.stderr).toContain('No entry among the newest 10,000 of its stream');
});

test('find exits with 3 when nothing matches, says what can be searched, and prints an empty list as JSON', async () => {
  const none = await find('no such thing');
  expect(none).toMatchObject({ code: 3, stdout: '' });
  expect(none.stderr).toContain('Nothing was found for "no such thing".');
  expect(none.stderr).toContain('webhook-id');
  const asJson = await find('no such thing', '--json');
  expect(asJson.code).toBe(3);
  expect(JSON.parse(asJson.stdout)).toEqual({ data: [] });
});

test('find refuses an empty text, and a limit that is too large', async () => {
  const blank = await find(' ');
  expect(blank.code).toBe(2);
  expect(blank.stderr).toContain('Give something to find');
  const long = await find('x'.repeat(1_025));
  expect(long.stderr).toMatch(/^<text> /u);
  expect((await find('crm', '--limit', '50')).code).toBe(2);
});
