import { expect, test } from 'vitest';

import { nameOf } from '../../src/cli/flagNames.ts';

const CREATE = {
  flags: ['--name', '--target', '--sync', '--event', '--header', '--alert-email', '--input'],
  args: [],
};

test.each([
  ['/name', '--name'],
  ['/target_id', '--target'],
  ['/syncs/3', '--sync'],
  ['/event_types', '--event'],
  ['/alert_emails/0', '--alert-email'],
  ['/headers/x~1y', '--header x/y'],
  ['/credentials/token_url', 'credentials.token_url in --input'],
  ['', 'The request'],
])('a fault at %s is one of %s', (pointer, name) => {
  expect(nameOf(pointer, CREATE)).toBe(name);
});

test('a fault of OAuth 2 credentials is named by the flag for that part of them', () => {
  const create = { flags: ['--oauth2-token-url', '--oauth2-scope', '--input'], args: [] };
  expect(nameOf('/credentials/token_url', create)).toBe('--oauth2-token-url');
  expect(nameOf('/credentials/scope', create)).toBe('--oauth2-scope');
});

test('a fault in an entry, a filter or an argument is named as it was given', () => {
  const send = { flags: ['--collection', '--id', '--event'], args: [] };
  expect(nameOf('/events/0/collection_id', send)).toBe('--collection');
  expect(nameOf('/records/0/upstream_id', send)).toBe('--id');
  const filter = { flags: ['--add-sync', '--remove-collection'], args: ['<consumer>'] };
  expect(nameOf('/add/syncs/0', filter)).toBe('--add-sync');
  expect(nameOf('/remove/collections', filter)).toBe('--remove-collection');
  expect(nameOf('/to/time', { flags: [], args: ['<consumer>', '<place>'] })).toBe('<place>');
});
