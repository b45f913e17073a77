import type { Locator } from 'playwright-core';
import { expect, test } from 'vitest';

import {
  BLANK_SAMPLE,
  lineOf,
  sampleFaults,
  sampleText,
  sentText,
  type SampleDraft,
} from '../../src/console/streams/sampleDraft.ts';
import { EventInput, RecordInput } from '../../src/schema/stream.ts';
import { openOwnApp } from '../support/app.ts';
import { axeFaults } from '../support/axe.ts';
import { browserOfFile } from '../support/browser.ts';
import { openPage } from '../support/consolePage.ts';
import { isFocused, saidOf } from '../support/fieldFaults.ts';
import { serve } from '../support/serve.ts';

const PATIENT = { timeout: 15_000 };
const NOW = new Date('2026-11-30T04:00:00Z');
const SENTENCE = /^[A-Z].+\.$/u;

const openTab = browserOfFile();

test('the form of a sample explains both streams, says what is wrong, sends the sample of the guide, and has what was filled in last', async () => {
  await using api = await openOwnApp();
  await using site = await serve(api);
  await using tab = await openTab();
  const { page } = tab;
  await site.signIn(tab.context);
  await openPage(page, `${site.url}/streams`);
  const dialog = page.getByRole('dialog', { name: 'Send a sample' });
  const field = (name: string): Locator => dialog.getByRole('textbox', { name, exact: true });
  const open = () => page.getByRole('button', { name: 'Send a sample…' }).first().click();
  const send = dialog.getByRole('button', { name: 'Send', exact: true });
  await open();
  await dialog.getByText('consumers of both streams can send it').waitFor();
  await dialog.getByText('only consumers of the events stream can send it').waitFor();
  await expect.poll(() => dialog.getByRole('radio', { name: /^Record/u }).isChecked()).toBe(true);
  await send.click();
  await page.getByText(/^Appended to records/u).waitFor();
  const { body } = await api.request('GET', '/v1/records?sync_id=sample');
  expect(body.records).toMatchObject([
    {
      collection_id: 'sample:customer',
      upstream_id: 'cus_1',
      data: { id: 'cus_1', name: 'Ada Lovelace', plan: 'free' },
    },
  ]);

  await open();
  // Its list makes it a combobox.
  await dialog.getByLabel('Collection').fill('customer');
  await field('Record').fill('');
  await field('Data').fill('{"n": }');
  await send.click();
  const collection = dialog.getByLabel('Collection');
  await expect
    .poll(() => saidOf(collection), PATIENT)
    .toBe(
      'The collection must be provider:name, for example stripe:customer, with at most 255 characters on each side.',
    );
  await expect.poll(() => collection.evaluate(isFocused), PATIENT).toBe(true);
  await expect
    .poll(() => saidOf(field('Record')))
    .toBe('Fill in the id of a record, for example cus_1.');
  await expect.poll(() => saidOf(field('Data'))).toMatch(/^The data is not valid JSON: /u);
  expect(await axeFaults(page)).toEqual([]);
  await collection.fill('shop:order');
  await field('Record').fill('o-1');
  await field('Data').fill('{"n": 1}');
  await dialog.getByRole('radio', { name: /^Event/u }).check();
  await send.click();
  await page.getByText(/^Appended to events/u).waitFor();

  await page.reload();
  await open();
  await expect.poll(() => field('Record').inputValue()).toBe('o-1');
  await expect.poll(() => field('Data').inputValue()).toBe('{"n": 1}');
  await expect.poll(() => dialog.getByRole('radio', { name: /^Event/u }).isChecked()).toBe(true);
  await dialog.getByRole('radio', { name: /^Record/u }).check();
  await send.click();
  await page.getByText(/^Appended to records/u).waitFor();
  await open();
  await send.click();
  await page.getByText(/^Nothing was appended, because the record is stored/u).waitFor();
  await open();
  await dialog.getByRole('button', { name: 'Start over' }).click();
  await expect.poll(() => field('Record').inputValue()).toBe('cus_1');
});

test.each<[change: Partial<SampleDraft>, wrong: string | null]>([
  [{}, null],
  [{ stream: 'events' }, null],
  [{ sync: '' }, '/sync_id'],
  [{ sync: 's'.repeat(256) }, '/sync_id'],
  [{ collection: 'customer' }, '/collection_id'],
  [{ collection: ':customer' }, '/collection_id'],
  [{ collection: `crm:${'c'.repeat(256)}` }, '/collection_id'],
  [{ record: '' }, '/upstream_id'],
  [{ record: 'r'.repeat(1025) }, '/upstream_id'],
])('the form of a sample finds of %j what the API would refuse: %j', (change, wrong) => {
  const draft = { ...BLANK_SAMPLE, ...change };
  const faults = sampleFaults(draft);
  expect(Object.keys(faults)).toEqual(wrong === null ? [] : [wrong]);
  for (const sentence of Object.values(faults)) expect(sentence).toMatch(SENTENCE);
  const schema = draft.stream === 'records' ? RecordInput : EventInput;
  const entry: unknown = JSON.parse(lineOf(draft, sampleText(NOW)));
  expect(schema.safeParse(entry).success).toBe(wrong === null);
});

test('a sample that changed nothing says so, because nothing is sent of it', () => {
  const counts = { accepted: 1, created: 0, updated: 0, deleted: 0, unchanged: 1, position: 7 };
  expect(sentText('records', counts)).toBe(
    'Nothing was appended, because the record is stored with the same data. Change the data to send it.',
  );
  expect(sentText('records', { ...counts, updated: 1, unchanged: 0, position: 1_204 })).toBe(
    'Appended to records; the stream ends at position 1,204.',
  );
  expect(sampleFaults({ ...BLANK_SAMPLE, data: '{"n": }' })['/data']).toMatch(
    /^The data is not valid JSON: /u,
  );
});
