import { expect, test } from 'vitest';

import { Refusal } from '../../src/db/refusal.ts';
import {
  maskedUrl,
  readAddress,
  sourceConfig,
  unmaskedUrl,
} from '../../src/sources/postgres/sourceAddress.ts';

const CA = '-----BEGIN CERTIFICATE-----\n…\n-----END CERTIFICATE-----\n';
const SECRET = 'pl@nted/s3cret';
const ENCODED = encodeURIComponent(SECRET);

test('a URL is read as libpq reads it', () => {
  expect(readAddress(`postgres://shop%20role:${ENCODED}@DB.Example.com/my%20shop`, null)).toEqual({
    host: 'db.example.com',
    port: 5432,
    user: 'shop role',
    password: SECRET,
    database: 'my shop',
    encryption: 'offered',
    ca: null,
  });
  expect(readAddress('postgresql://u@[2001:db8::1]:6543/d', null)).toMatchObject({
    host: '2001:db8::1',
    port: 6543,
    password: '',
  });
  expect(readAddress('postgres://u@bücher.example/d', null).host).toBe('xn--bcher-kva.example');
});

test.each([
  ['', null, 'offered'],
  ['?sslmode=disable', null, 'none'],
  ['?sslmode=allow', null, 'offered'],
  ['?sslmode=prefer', CA, 'offered'],
  ['?sslmode=require', null, 'unverified'],
  ['?sslmode=require', CA, 'authority'],
  ['?sslmode=verify-ca', CA, 'authority'],
  ['?sslmode=verify-full', null, 'full'],
  ['?sslmode=verify-full&channel_binding=require', null, 'full'],
  ['?sslrootcert=system', null, 'full'],
  ['', CA, 'full'],
  ['?application_name=x&connect_timeout=10&target_session_attrs=any', null, 'offered'],
] as const)('the encryption of %j with certificates %j is %s', (query, ca, encryption) => {
  expect(readAddress(`postgres://u:p@h/d${query}`, ca).encryption).toBe(encryption);
});

test.each([
  ['postgres://h/d', /must name a role/u],
  ['postgres://u:p@h', /must name a database/u],
  ['postgres://u:p@h/', /must name a database/u],
  ['mysql://u:p@h/d', /must be postgres:\/\//u],
  ['postgres://u:p@h1:1,h2:2/d', /must be postgres:\/\//u],
  [`postgres://u:${ENCODED}@%2Fvar%2Frun/d`, /host/u],
  [`postgres://u:${ENCODED}@h:0/d`, /port 0/u],
  [`postgres://u:${ENCODED}%zz@h/d`, /password that begins no escape/u],
  [`postgres://u:${ENCODED}%00@h/d`, /zero byte in its password/u],
  [`postgres://u%00:${ENCODED}@h/d`, /zero byte in its user/u],
  [`postgres://u:${ENCODED}@h/d%00options%00x`, /zero byte in its database/u],
  [`postgres://u:${ENCODED}@h/d?sslmode=no-verify`, /sslmode of disable, allow, prefer, require/u],
  [`postgres://u:${ENCODED}@h/d?sslmode=constructor`, /sslmode of/u],
  [`postgres://u:${ENCODED}@h/d?sslmode=disable&sslmode=require`, /sslmode twice/u],
  [`postgres://u:${ENCODED}@h/d?sslrootcert=/etc/ca.pem`, /send its text as ca/u],
  [`postgres://u:${ENCODED}@h/d?sslrootcert=system&sslmode=require`, /verify-full/u],
  [`postgres://u:${ENCODED}@h/d?sslkey=/etc/key.pem`, /client certificate/u],
  [`postgres://u:${ENCODED}@h/d?channel_binding=require&sslmode=require`, /verify-full/u],
  [`postgres://u@h/d?password=${ENCODED}`, /password, which has to be before/u],
  [`postgres://u:${ENCODED}@h/d?host=/var/run`, /host, which has to be before/u],
  [`postgres://u:${ENCODED}@h/d?${ENCODED}=1`, /a parameter that is not known/u],
  ['postgres://u:••••@h/d', /masked password/u],
])('a URL that can not be used is refused in words, without its password: %s', (url, words) => {
  const refused = refusalOf(() => readAddress(url, null));
  expect(refused.options).toMatchObject({ status: 422, pointer: '/url' });
  expect(refused.message).toMatch(words);
  expect(refused.message).not.toMatch(/pl.{1,3}nted|s3cret/u);
});

test('a URL is shown without its password, and keeps it when it is sent back as it was shown', () => {
  const url = `postgres://shop:${ENCODED}@db.example.com:5433/shop?sslmode=require`;
  const shown = 'postgres://shop:••••@db.example.com:5433/shop?sslmode=require';
  expect(maskedUrl(url)).toBe(shown);
  expect(unmaskedUrl(shown, url)).toBe(url);
  expect(unmaskedUrl(new URL(shown).href, url)).toBe(url);
  const other = shown.replace('//shop:', '//sales:').replace('/shop?', '/sales?');
  expect(readAddress(unmaskedUrl(other, url), null)).toMatchObject({
    user: 'sales',
    database: 'sales',
    password: SECRET,
  });
  expect(maskedUrl('postgres://shop@h/d')).toBe('postgres://shop@h/d');
  expect(unmaskedUrl('postgres://u:new@other/d', url)).toBe('postgres://u:new@other/d');
});

test.each([
  'postgres://shop:••••@evil.example.com:5433/shop?sslmode=require',
  'postgres://shop:••••@db.example.com/shop?sslmode=require',
  'postgres://shop:••••@db.example.com:5433/shop?sslmode=disable',
  'postgres://shop:••••@db.example.com:5433/shop',
])(
  'a password that was not sent goes to no other place, and not with less protection: %s',
  (to) => {
    const url = `postgres://shop:${ENCODED}@db.example.com:5433/shop?sslmode=require`;
    expect(refusalOf(() => unmaskedUrl(to, url)).message).toContain(
      'must be sent with its password',
    );
  },
);

test('a mask is refused where no password is known', () => {
  for (const stored of [null, 'postgres://u@h/d']) {
    const refused = refusalOf(() => unmaskedUrl('postgres://u:••••@h/d', stored));
    expect(refused.message).toContain('send the password itself');
  }
});

test('nothing of the environment goes to a database that a user has named', async () => {
  const open = (): never => {
    throw new Error('nothing is to be opened');
  };
  const address = readAddress('postgres://u@h/d?sslmode=disable', null);
  const { password, ...config } = await sourceConfig(address, open);
  expect(config).toEqual({
    host: 'h',
    port: 5432,
    user: 'u',
    database: 'd',
    ssl: false,
    sslnegotiation: 'postgres',
    application_name: 'millrace',
    options: '-c search_path=',
    stream: open,
  });
  expect((password as () => string)()).toBe('');
});

function refusalOf(work: () => unknown): Refusal {
  try {
    work();
  } catch (error) {
    if (error instanceof Refusal) return error;
    throw error;
  }
  throw new Error('it was not refused');
}
