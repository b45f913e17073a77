// which errors of a sender are lasting faults of a consumer, and when it is tried again and told of
import { expect, test } from 'vitest';

import { startFaultOf } from '../../src/delivery/startFault.ts';
import { CannotStart, isAlertDue, startAgainInMs, WillPass } from '../../src/rules/startFault.ts';
import { pathOf } from '../../src/targets/targetSender.ts';

const coded = (code: string, message = 'planted text of a row') =>
  Object.assign(new Error(message), { code });

test.each<[string, unknown, string | null]>([
  ['Postgres refuses connections', coded('ECONNREFUSED'), null],
  ['Postgres shuts down', coded('57P01'), null],
  ['Postgres has lost the connection', new Error('Connection terminated unexpectedly'), null],
  ['Postgres has no room', coded('53100'), null],
  ['Postgres is read-only', coded('25006'), null],
  ['a deadlock', coded('40P01'), null],
  ['a statement took too long', coded('57014'), null],
  ['a lock took too long', coded('55P03'), null],
  ['the migrations are not applied yet', coded('42P01'), null],
  ['this machine has no file descriptor left', coded('EMFILE'), null],
  ['another sender has the lease', new WillPass('another sender has taken the cursor'), null],
  ['a key is gone', new CannotStart('credentials_unreadable', 'd'), 'credentials_unreadable'],
  [
    'a malformed secret',
    new CannotStart('signing_secret_unreadable', 'd'),
    'signing_secret_unreadable',
  ],
  ['a URL', new CannotStart('url_unreadable', 'd'), 'url_unreadable'],
  ['a value that Postgres can not read', coded('22P02'), 'internal_error'],
  ['an exception', new TypeError('planted text of a row'), 'internal_error'],
  ['a thrown value', 'planted text of a row', 'internal_error'],
])('%s', (_title, error, code) => {
  const fault = startFaultOf(error);
  expect(fault?.code ?? null).toBe(code);
  expect(fault?.detail ?? '').not.toContain('planted');
});

test.each([
  [0, 1_000],
  [900, 1_000],
  [4_000, 4_000],
  [120_000, 120_000],
  [400_000, 300_000],
  [86_400_000, 300_000],
])('a start that has failed for %d ms is tried again after %d ms', (failingForMs, againInMs) => {
  expect(startAgainInMs(failingForMs)).toBe(againInMs);
});

test.each([
  ['at the first failure', 0, [], false],
  ['after a few tries', 3_000, [], true],
  ['again for the same reason', 60_000, ['url_unreadable'], false],
  ['for another reason', 60_000, ['filter_unreadable'], true],
])('an alert is due or not %s', (_title, failingForMs, told, isDue) => {
  expect(isAlertDue('url_unreadable', { failingForMs, told })).toBe(isDue);
});

test.each([
  ['//x'],
  ['///'],
  ['//evil.example/z'],
  ['/\\'],
  ['//:80/x'],
  ['//%/x'],
  ['//x:99999/y'],
])('a stored path that is read as a host is never sent to: %s', (path) => {
  expect(() => pathOf('https://example.com/a', path)).toThrow(CannotStart);
});

test.each([['not a url'], ['ftp://example.com'], ['']])(
  'a stored base_url is refused: "%s"',
  (url) => {
    expect(() => pathOf(url, '')).toThrow(CannotStart);
  },
);
