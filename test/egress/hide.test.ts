import { expect, test } from 'vitest';

import { hide, textOf } from '../../src/egress/hide.ts';

const SECRET = 'sk_live_THE_"VERY"_SECRET/0123456789';
const CUT = 2_048;

test.each([
  ['as it is', SECRET],
  ['in a JSON text', JSON.stringify(SECRET).slice(1, -1)],
  ['percent-encoded', encodeURIComponent(SECRET)],
  ['in capitals', SECRET.toUpperCase()],
])('a secret %s is hidden wherever it stands, even across the cut', (_how, form) => {
  const hiding = hide([SECRET], false);
  for (let before = 0; before <= CUT + 10; before += before > CUT - 120 ? 1 : 97) {
    const all = 'x'.repeat(before) + form;
    const read = Buffer.from(all).subarray(0, hiding.bytes).toString();
    const shown = hiding.of(null)(read);
    expect(shown).toBe(`${'x'.repeat(before)}••••`.slice(0, shown.length));
    expect(Buffer.byteLength(shown)).toBeLessThanOrEqual(CUT);
  }
});

test('the beginning of a secret at the end of an answer that broke off is hidden', () => {
  const shown = hide([SECRET], false).of(null);
  for (let length = 4; length < SECRET.length; length += 1) {
    expect(shown(`echo ${SECRET.slice(0, length)}`)).toBe('echo ••••');
  }
  expect(shown('ask')).toBe('ask');
  expect(shown('x')).toBe('x');
  expect(shown('')).toBe('');
});

test('the token of the request is hidden, and so is each of several secrets', () => {
  const shown = hide(['first-secret', 'first-secret-longer', 'abc'], true).of('token-of-it');
  expect(shown('abc first-secret first-secret-longer token-of-it')).toBe('abc •••• •••• ••••');
});

test('a secret that is too short to be searched for is hidden where it is the whole answer', () => {
  const shown = hide(['abc'], false).of(null);
  expect([shown('abc'), shown('abcd')]).toEqual(['••••', 'abcd']);
});

test('a secret whose bytes were read as Latin-1 is hidden, as in a header', () => {
  const shown = hide(['pässwörd'], false).of(null);
  expect(shown(`you sent ${Buffer.from('pässwörd').toString('latin1')}`)).toBe('you sent ••••');
});

const BYTES = 'sk_live_?>~?>~_0123456789'; // its base64 has characters that URLs write differently

test.each(['base64', 'base64url'] as const)(
  'a secret in %s is hidden, whatever was encoded together with it before and after it',
  (encoding) => {
    const shown = hide([BYTES], false).of(null);
    for (const before of ['', 'a', 'ab', 'user:']) {
      for (const behind of ['', 'z', 'zz', '\n']) {
        const echo = Buffer.from(before + BYTES + behind).toString(encoding);
        const seen = shown(`got ${echo}.`);
        expect([before, behind, seen]).toEqual([
          before,
          behind,
          expect.stringMatching(/^got [\w+/-]{0,7}••••[\w+/=-]{0,6}\.$/u),
        ]);
      }
    }
  },
);

test.each([
  ['little', (bytes: Buffer) => bytes],
  ['big', (bytes: Buffer) => bytes.swap16()],
])('a secret in UTF-16 that is %s-endian is hidden', (_order, order) => {
  const shown = hide([SECRET, 'schlüssel-wort'], false).of(null);
  for (const secret of [SECRET, 'schlüssel-wort']) {
    const seen = shown(textOf(order(Buffer.from(`you sent ${secret}!`, 'utf16le'))));
    expect(seen.replaceAll('\ufffd', '')).toBe('you sent ••••!');
  }
});

test('a secret whose UTF-16 bytes are hardly readable as text does not hide anything else', () => {
  const shown = hide(['秘密秘密秘密'], false).of(null);
  expect(shown('a plain answer \ufffd\ufffd\ufffd\ufffd')).toBe(
    'a plain answer \ufffd\ufffd\ufffd\ufffd',
  );
  expect(shown('you sent 秘密秘密秘密')).toBe('you sent ••••');
});

test('characters are kept whole at the cut', () => {
  const shown = hide([], false).of(null)('ä'.repeat(CUT));
  expect(shown).toBe('ä'.repeat(CUT / 2));
  expect(hide([], false).of(null)(`x${'ä'.repeat(CUT)}`)).toBe(`x${'ä'.repeat(CUT / 2 - 1)}`);
});
