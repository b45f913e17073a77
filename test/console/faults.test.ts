import { expect, test } from 'vitest';

import { BLANK as BLANK_CONSUMER, inputOf } from '../../src/console/consumers/draft.ts';
import { draftFaults, settingsFaults } from '../../src/console/consumers/faults.ts';
import { patchOf, type SettingsDraft } from '../../src/console/consumers/settingsDraft.ts';
import { BLANK, bodyOf, type TargetDraft } from '../../src/console/targets/draft.ts';
import { newFaults, storedFaults } from '../../src/console/targets/faults.ts';
import { ConsumerInput, ConsumerPatch } from '../../src/schema/consumer.ts';
import { TargetInput } from '../../src/schema/target.ts';

const TARGET: TargetDraft = { ...BLANK, name: 'CRM', base_url: 'https://example.com/hook' };
/** Full sentences, which begin with what is wrong and not with the name of a field of the API. */
const SENTENCE = /^[A-Z“][^_]+\.$/u;

const basic = (username: string) =>
  ({ credentialsType: 'basic', credentials: { username, password: 'x' } }) as const;
const bearer = (token: string) => ({ credentialsType: 'bearer', credentials: { token } }) as const;
const oauth2 = (fields: object) =>
  ({
    credentialsType: 'oauth2',
    credentials: {
      token_url: 'https://example.com/token',
      client_id: 'a',
      client_secret: 'b',
      ...fields,
    },
  }) as const;
const headers = (...rows: [name: string, value: string][]) => ({
  headers: rows.map(([name, value]) => ({ name, value })),
});
const many = (count: number) =>
  headers(...Array.from({ length: count }, (_, at): [string, string] => [`x-${at}`, '']));

test.each<[change: Partial<TargetDraft>, wrong: string | null]>([
  [{}, null],
  [{ name: ' ' }, '/name'],
  [{ name: 'n'.repeat(255) }, null],
  [{ name: 'n'.repeat(256) }, '/name'],
  [{ base_url: 'https://user:password@example.com' }, '/base_url'],
  [{ base_url: 'https://example.com/#part' }, '/base_url'],
  [{ base_url: 'https://example.com:0/' }, '/base_url'],
  [{ base_url: `https://example.com/${'a'.repeat(2048)}` }, '/base_url'],
  [{ timeout_ms: '500' }, null],
  [{ timeout_ms: '499' }, '/timeout_ms'],
  [{ timeout_ms: '15001' }, '/timeout_ms'],
  [{ timeout_ms: '1000.5' }, '/timeout_ms'],
  [{ timeout_ms: '' }, '/timeout_ms'],
  [{ max_in_flight: '1000' }, null],
  [{ max_in_flight: '0' }, '/max_in_flight'],
  [{ max_in_flight: '1001' }, '/max_in_flight'],
  [{ rate_limit: '100000' }, null],
  [{ rate_limit: '0' }, '/rate_limit'],
  [{ rate_limit: '100001' }, '/rate_limit'],
  [basic('millrace'), null],
  [basic('a:b'), '/credentials/username'],
  [bearer('token'), null],
  [bearer('one\ntwo'), '/credentials/token'],
  [bearer('é'), '/credentials/token'],
  [{ credentialsType: 'header', credentials: { name: 'a b', value: 'x' } }, '/credentials/name'],
  [oauth2({}), null],
  [oauth2({ scope: 'read write' }), null],
  [oauth2({ scope: 'read  write' }), '/credentials/scope'],
  [oauth2({ token_url: 'ftp://example.com' }), '/credentials/token_url'],
  [headers(['x-team', 'billing']), null],
  [headers(['x team', '']), '/headers/0/name'],
  [headers(['x-a', ''], ['x-b', 'é']), '/headers/1/value'],
  [many(50), null],
  [many(51), '/headers'],
])('the form of a target finds of %j what the API would refuse: %j', (change, wrong) => {
  const draft = { ...TARGET, ...change };
  const faults = storedFaults(draft);
  expect(Object.keys(faults)).toEqual(wrong === null ? [] : [wrong]);
  for (const sentence of Object.values(faults)) expect(sentence).toMatch(SENTENCE);
  expect(TargetInput.safeParse(bodyOf(draft)).success).toBe(wrong === null);
});

test('a new target needs no name; a header that would be lost is a fault, and an empty row is not', () => {
  expect(newFaults({ ...TARGET, name: '' })).toEqual({});
  expect(newFaults({ ...TARGET, ...headers(['', '']) })).toEqual({});
  const rows = headers(['x-team', 'a'], ['X-Team', 'b'], ['', 'c']);
  expect(newFaults({ ...TARGET, ...rows })).toEqual({
    '/headers/1/name': 'Header 2 has the name of another header: give it a name of its own.',
    '/headers/2/name': 'Header 3 has a value and no name: fill in its name, or remove it.',
  });
  expect(newFaults({ ...TARGET, ...headers(['x-key', '••••cret']) })).toEqual({}); // is stored
});

const SETTINGS: SettingsDraft = {
  name: 'CRM',
  path: '',
  ordering: 'record',
  body: { mode: 'full' },
  batch: null,
  emails: '',
};

test.each<[change: Partial<SettingsDraft>, wrong: string | null]>([
  [{}, null],
  [{ name: '' }, '/name'],
  [{ name: 'n'.repeat(256) }, '/name'],
  [{ path: '/v2/in?x=1' }, null],
  [{ path: 'v2' }, '/path'],
  [{ path: '//v2' }, '/path'],
  [{ path: '/v 2' }, '/path'],
  [{ path: '/é' }, '/path'],
  [{ path: '/\ud800' }, '/path'],
  [{ path: '/a#b' }, '/path'],
  [{ path: '/a/../b' }, '/path'],
  [{ path: '/a\\b' }, '/path'],
  [{ path: `/${'a'.repeat(2048)}` }, '/path'],
  [{ emails: 'night@example.com\nday@example.com' }, null],
  [{ emails: 'night' }, '/alert_emails'],
  [{ body: { mode: 'fields', pointers: [] } }, '/body/pointers'],
  [{ body: { mode: 'map', expression: '' } }, '/body/expression'],
  [{ batch: { entries: '1', kilobytes: '1024', wait: '200' } }, '/batch/max_entries'],
  [{ batch: { entries: '100', kilobytes: '1024', wait: '200' } }, null],
  [{ emails: 'night@example' }, '/alert_emails'],
  [
    { emails: Array.from({ length: 51 }, (_, at) => `a${at}@b.example`).join('\n') },
    '/alert_emails',
  ],
])('the settings of a consumer find of %j what the API would refuse: %j', (change, wrong) => {
  const draft = { ...SETTINGS, ...change };
  const faults = settingsFaults(draft, 'events');
  expect(Object.keys(faults)).toEqual(wrong === null ? [] : [wrong]);
  for (const sentence of Object.values(faults)) expect(sentence).toMatch(SENTENCE);
  const patch = patchOf(draft, ['name', 'path', 'ordering', 'body', 'batch', 'emails']);
  expect(ConsumerPatch.safeParse(patch).success).toBe(wrong === null);
});

test('a new consumer needs a name, and the point in time where it starts at one', () => {
  const target_id = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';
  const draft = { ...BLANK_CONSUMER, name: 'CRM', target_id };
  expect(draftFaults(draft)).toEqual({});
  expect(ConsumerInput.safeParse(inputOf(draft, 'utc')).success).toBe(true);
  const timed = { ...draft, name: '', start: 'time', start_at: '' } as const;
  expect(draftFaults(timed)).toEqual({
    '/start': 'Fill in the date and the time at which sending starts.',
    '/name': 'Fill in a name for the consumer.',
  });
  expect(ConsumerInput.safeParse(inputOf(timed, 'utc')).success).toBe(false);
});
