import { randomBytes } from 'node:crypto';

import { expect, test } from 'vitest';

import { createVault } from '../../src/db/vault.ts';
import { newSigningSecret } from '../../src/egress/signing.ts';
import { mask } from '../../src/targets/credentials.ts';

const first = { id: 'k1', key: randomBytes(32) };
const second = { id: 'k2', key: randomBytes(32) };

test('a sealed value opens again, and never looks the same twice', () => {
  const vault = createVault([first]);
  const sealed = vault.seal('s3cret ü', 'targets:credentials:1');
  expect(vault.open(sealed, 'targets:credentials:1')).toBe('s3cret ü');
  expect(sealed).toMatch(/^v1\.k1\.[\w-]{16}\.[\w-]+\.[\w-]{22}$/u);
  expect(sealed).not.toContain('s3cret');
  expect(vault.seal('s3cret ü', 'targets:credentials:1')).not.toBe(sealed);
});

test('a secret moved to another row, column or table does not open', () => {
  const vault = createVault([first]);
  const sealed = vault.seal('s3cret', 'targets:credentials:1');
  expect(() => vault.open(sealed, 'targets:credentials:2')).toThrow(/changed or moved/u);
  expect(() => vault.open(sealed, 'targets:signing_secret:1')).toThrow(/changed or moved/u);
});

test('a change to any part is refused', () => {
  const vault = createVault([first]);
  const parts = vault.seal('s3cret', 'a:b:1').split('.');
  for (const index of [2, 3, 4]) {
    const changed = [...parts];
    const bytes = Buffer.from(parts[index]!, 'base64url');
    bytes[0]! ^= 1;
    changed[index] = bytes.toString('base64url');
    expect(() => vault.open(changed.join('.'), 'a:b:1')).toThrow(/changed or moved/u);
  }
  const shortTag = [...parts.slice(0, 4), parts[4]!.slice(0, 6)];
  expect(() => vault.open(shortTag.join('.'), 'a:b:1')).toThrow(/changed or moved/u);
  expect(() => vault.open('s3cret', 'a:b:1')).toThrow(/sealed form/u);
});

test('the first key seals and every key opens, so that keys can be rotated', () => {
  const old = createVault([first]).seal('s3cret', 'a:b:1');
  const rotated = createVault([second, first]);
  expect(rotated.open(old, 'a:b:1')).toBe('s3cret');
  expect(rotated.seal('s3cret', 'a:b:1')).toMatch(/^v1\.k2\./u);
});

test('an error names the unknown key and the value that needs it, and contains no secret', () => {
  const sealed = createVault([first]).seal('s3cret', 'targets:credentials:1');
  const open = () => createVault([second]).open(sealed, 'targets:credentials:1');
  expect(open).toThrow(
    'targets:credentials:1 is sealed with encryption key "k1", which is not in MILLRACE_ENCRYPTION_KEYS',
  );
});

test('keys that cannot be used are refused without being shown', () => {
  expect(() => createVault([])).toThrow(/at least one/u);
  expect(() => createVault([{ id: 'k', key: Buffer.from('short') }])).toThrow(/32 bytes/u);
  expect(() => createVault([first, first])).toThrow(/twice/u);
  expect(() => createVault([{ id: 'a.b', key: randomBytes(32) }])).toThrow(/may contain/u);
});

test('a mask shows the last four characters of a long secret and nothing of a short one', () => {
  expect(mask('abcdefghijkl')).toBe('••••ijkl');
  expect(mask('hunter2')).toBe('••••');
});

test('a signing secret is whsec_ and 32 fresh random bytes', () => {
  const secret = newSigningSecret();
  expect(secret).toMatch(/^whsec_/u);
  expect(Buffer.from(secret.slice(6), 'base64')).toHaveLength(32);
  expect(newSigningSecret()).not.toBe(secret);
});
