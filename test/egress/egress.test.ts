import type { LookupAddress } from 'node:dns';
import { isIPv6 } from 'node:net';

import { afterAll, beforeAll, beforeEach, describe, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { createEgress, type Egress } from '../../src/egress/egress.ts';
import { newSigningSecret } from '../../src/egress/signing.ts';
import { httpUrl } from '../../src/schema/fields.ts';
import type { TargetTest } from '../../src/schema/targetTest.ts';
import type { OpenTarget } from '../../src/targets/openTarget.ts';
import { testTarget } from '../../src/targets/testTarget.ts';
import { LOOPBACK, openApp } from '../support/app.ts';
import { openCanary, type Canary } from '../support/canary.ts';
import { createDatabase } from '../support/database.ts';

let canary: Canary;
beforeAll(async () => {
  canary = await openCanary();
});
afterAll(() => canary[Symbol.asyncDispose]());
beforeEach(() => {
  canary.reached.length = 0;
  canary.paths.length = 0;
  canary.redirect = null;
});

const answers = (...addresses: string[]): LookupAddress[] =>
  addresses.map((address) => ({ address, family: isIPv6(address) ? 6 : 4 }));

/** Every name is at these addresses. */
const guard = (addresses: string[], allowCidrs: string[] = []): Egress =>
  createEgress({ allowCidrs, resolve: () => Promise.resolve(answers(...addresses)) });

/** Sends there, past what saving would refuse: the connection itself is guarded. */
function send(
  egress: Egress,
  baseUrl: string,
  more: Partial<OpenTarget> = {},
): Promise<TargetTest> {
  const target: OpenTarget = {
    id: newId(),
    version: 1,
    baseUrl,
    headers: {},
    hidden: [],
    oauth: null,
    ca: null,
    clientCertificate: null,
    secrets: [newSigningSecret()],
    previousUntil: null,
    timeoutMs: 15_000,
    maxInFlight: 1,
    rateLimit: null,
    ...more,
  };
  return testTarget(target, { egress, userAgent: 'Millrace/test', now: Date.now });
}

/** Ways to write a host that is not public. Most are what the URL parser makes an address of. */
const HOSTS = {
  'plain and shortened IPv4': [
    '127.0.0.1',
    '127.1',
    '127.0.1',
    '127.0.0.2',
    '127.255.255.254',
    '127.127.127.127',
  ],
  'a trailing dot': ['127.0.0.1.', '0.0.0.0.', '169.254.169.254.', '0x7f000001.'],
  decimal: ['2130706433', '2852039166', '167772161', '3232235521', '4294967295', '169.254.43518'],
  hex: [
    '0x7f.0.0.1',
    '0x7f.1',
    '0x7f000001',
    '0X7F000001',
    '0x7f.0x0.0x0.0x1',
    '0xa9fea9fe',
    '0xa.0.0.1',
    '0xc0a80001',
  ],
  octal: [
    '0177.0.0.1',
    '0177.1',
    '017700000001',
    '0251.0376.0251.0376',
    '012.0.0.1',
    '127.000.000.001',
    '0300.0250.0.1',
  ],
  zero: ['0', '0.0.0.0', '00', '0x0', '0.0', '0.1.2.3'],
  'IDN digits and dots': [
    '①②⑦.⓪.⓪.①',
    '１２７.０.０.１',
    '127。0。0。1',
    '127．0．0．1',
    '127｡0｡0｡1',
    '⓪ˣ7f000001',
    '①⑥⑨.②⑤④.①⑥⑨.②⑤④',
    '𝟏𝟐𝟕.𝟎.𝟎.𝟏',
    '𝟭𝟮𝟳.𝟭',
  ],
  'percent escapes': [
    '%31%32%37.0.0.1',
    '127.0.0.%31',
    '%30x7f000001',
    '%6cocalhost',
    '127%2e0%2e0%2e1',
  ],
  'IPv6 loopback and unspecified': [
    '[::1]',
    '[0:0:0:0:0:0:0:1]',
    '[0000::0001]',
    '[::]',
    '[0::0]',
    '[::0.0.0.1]',
  ],
  'IPv4 in IPv6': [
    '[::ffff:127.0.0.1]',
    '[::ffff:7f00:1]',
    '[0:0:0:0:0:ffff:7f00:1]',
    '[::FFFF:7F00:0001]',
    '[::127.0.0.1]',
    '[::7f00:1]',
    '[::ffff:0:7f00:1]',
    '[::ffff:169.254.169.254]',
    '[::ffff:a9fe:a9fe]',
    '[::ffff:a00:1]',
    '[::ffff:0.0.0.0]',
  ],
  'translated and tunnelled': [
    '[64:ff9b::7f00:1]',
    '[64:ff9b::127.0.0.1]',
    '[64:ff9b:1::7f00:1]',
    '[64:ff9b::a9fe:a9fe]',
    '[2002:7f00:1::]',
    '[2002:7f00:0001::1]',
    '[2002:a9fe:a9fe::]',
    '[2002:c0a8:1::1]',
    '[2001::7f00:1]',
    '[2001:0:7f00:1::]',
  ],
  'IPv6 scopes': [
    '[fe80::1]',
    '[fe80::1%25lo]',
    '[::1%25lo]',
    '[fe80::1%lo]',
    '[fc00::1]',
    '[fd00:ec2::254]',
    '[fec0::1]',
    '[ff02::1]',
    '[100::1]',
    '[2001:db8::1]',
    '[4000::1]',
  ],
  metadata: ['169.254.169.254', '169.254.170.2', '100.100.100.200', '192.0.0.192', '168.63.129.16'],
  'private and special': [
    '10.0.0.1',
    '10.1',
    '172.16.0.1',
    '172.31.255.254',
    '192.168.0.1',
    '192.168.1',
    '100.64.0.1',
    '198.18.0.1',
    '192.0.2.1',
    '224.0.0.1',
    '239.255.255.250',
    '240.0.0.1',
    '255.255.255.255',
  ],
  'names of this machine': [
    'localhost',
    'LOCALHOST',
    'localhost.',
    'foo.localhost',
    'a.b.localhost.',
    'ｌｏｃａｌｈｏｓｔ',
    'lⓞcalhost',
    'loc\u00adalhost',
  ],
};

/** Whole URLs; whatever host they have is looked up as 127.0.0.1. */
const URLS = [
  'http://example.com@127.0.0.1:PORT/',
  'http://127.0.0.1:PORT@example.com/',
  'http://example.com:80@127.0.0.1:PORT/',
  'http://example.com%40127.0.0.1:PORT/',
  'http://example.com\\@127.0.0.1:PORT/',
  'http://127.0.0.1:PORT\\@example.com/',
  'http://example.com#@127.0.0.1:PORT/',
  'http://127.0.0.1:PORT#.example.com/',
  'http://127.0.0.1:PORT?.example.com/',
  'http:127.0.0.1:PORT/',
  'http:/127.0.0.1:PORT/',
  'http:\\\\127.0.0.1:PORT\\',
  'http:////127.0.0.1:PORT/',
  ' http://127.0.0.1:PORT/',
  'http://127.0.0.1:PORT/\t',
  'ht\ntp://127.0.0.1:PORT/',
  'http://127.0.\t0.1:PORT/',
  'HTTP://127.0.0.1:PORT/',
  'https://127.0.0.1:PORT/',
  'ftp://127.0.0.1:PORT/',
  'file:///etc/passwd',
  'gopher://127.0.0.1:PORT/_POST',
  'unix:/var/run/docker.sock',
  'http://unix:/var/run/docker.sock:/info',
  'javascript:fetch("http://127.0.0.1:PORT")',
  'data:text/plain,hello',
  'ws://127.0.0.1:PORT/',
  '//127.0.0.1:PORT/',
  'http://',
  'http://:PORT/',
  'http://[::1',
  'http://127.0.0.1:PORT0000/',
  'http://127.0.0.1.nip.test:PORT/',
  'http://7f000001.rebind.test:PORT/',
  'http://metadata.google.internal:PORT/computeMetadata/v1/',
  'http://kubernetes.default.svc:PORT/',
  'http://postgres:PORT/',
  'http://xn--localhost-.test:PORT/',
];

describe('a host that is not public cannot be reached by any spelling', () => {
  test.each(
    Object.entries(HOSTS).flatMap(([what, hosts]) => hosts.map((host) => [what, host] as const)),
  )('%s: %s', async (_what, host) => {
    const url = `http://${host}:${canary.port}/hook`;
    expect(await attempt(guard(['127.0.0.1']), url)).toEqual(REFUSED);
  });

  test.each(URLS)('%s', async (template) => {
    const url = template.replace('PORT', String(canary.port));
    expect(await attempt(guard(['127.0.0.1']), url)).toEqual(REFUSED);
  });
});

/** What came of it, and whether the canary noticed. */
async function attempt(egress: Egress, url: string) {
  const isHttp = URL.canParse(url) && /^https?:/u.test(new URL(url).protocol);
  if (!isHttp) return { refused: !httpUrl.safeParse(url).success, reached: canary.reached };
  const { error_code, response_head } = await send(egress, url);
  const refused = error_code === 'ADDRESS_REFUSED' && response_head === null;
  return { refused, reached: canary.reached };
}

const REFUSED = { refused: true, reached: [] };

describe('a name is refused unless all its addresses are allowed', () => {
  test.each([
    ['127.0.0.1'],
    ['127.0.0.53'],
    ['::1'],
    ['::ffff:127.0.0.1'],
    ['::ffff:7f00:1'],
    ['::127.0.0.1'],
    ['64:ff9b::7f00:1'],
    ['2002:7f00:1::'],
    ['2001::7f00:1'],
    ['0.0.0.0'],
    ['::'],
    ['10.0.0.1'],
    ['172.20.0.1'],
    ['192.168.1.1'],
    ['100.64.1.1'],
    ['169.254.169.254'],
    ['fd00:ec2::254'],
    ['fe80::1'],
    ['fe80::1%lo'],
    ['::1%lo'],
    ['224.0.0.1'],
    ['255.255.255.255'],
    ['8.8.8.8', '127.0.0.1'],
    ['127.0.0.1', '8.8.8.8'],
    ['8.8.8.8', '1.1.1.1', '10.0.0.1'],
    ['2606:4700:4700::1111', '::1'],
    ['8.8.8.8', 'not an address'],
    ['localhost'],
    ['0x7f000001'],
  ])('%s', async (...addresses) => {
    const { error_code } = await send(guard(addresses), `http://name.test:${canary.port}/`);
    expect(error_code).toBe('ADDRESS_REFUSED');
    expect(canary.reached).toEqual([]);
  });

  test('a name without an address is a failed look-up', async () => {
    const { error_code } = await send(guard([]), `http://name.test:${canary.port}/`);
    expect(error_code).toBe('DNS_FAILED');
  });
});

test('a name whose address changes between the check and the connection gains nothing: it is looked up once', async () => {
  let asked = 0;
  const egress = createEgress({
    allowCidrs: ['127.0.0.1/32'],
    // The first answer may be reached, each later one is the canary's other address.
    resolve: () => Promise.resolve(answers((asked += 1) === 1 ? '127.0.0.1' : '127.0.0.9')),
  });
  const first = await send(egress, `http://rebind.test:${canary.port}/`);
  expect([first.outcome, asked, canary.reached]).toEqual(['delivered', 1, ['127.0.0.1']]);
  const second = await send(egress, `http://rebind.test:${canary.port}/`);
  expect([second.error_code, asked, canary.reached]).toEqual(['ADDRESS_REFUSED', 2, ['127.0.0.1']]);
});

test('the outcome of a failed attempt contains no address that was looked up', async () => {
  const test = await send(guard(['10.11.12.13']), 'http://name.test/');
  expect(JSON.stringify(test)).not.toContain('10.11');
});

test.each([301, 302, 303, 307, 308])('a redirect (%i) is a failure and not followed', async () => {
  canary.redirect = `http://169.254.169.254:${canary.port}/latest/meta-data/`;
  const { outcome, error_code } = await send(
    guard([], LOOPBACK),
    `http://127.0.0.1:${canary.port}/here`,
  );
  expect([outcome, error_code, canary.paths]).toEqual(['failed', 'REDIRECT', ['/here']]);
});

test.each([
  '127.0.0.1',
  '127.1',
  '2130706433',
  '0x7f.1',
  '①②⑦.⓪.⓪.①',
  '[::ffff:127.0.0.1]',
  '127.0.0.9',
  'localhost',
  'name.test',
])('addresses in MILLRACE_ALLOW_CIDRS can be reached: %s', async (host) => {
  const egress = guard(['127.0.0.1'], ['127.0.0.0/8']);
  const url = `http://${host}:${canary.port}/hook`;
  expect(egress.refusal(url)).toBeNull();
  expect(await send(egress, url)).toMatchObject({ outcome: 'delivered', status: 200 });
  expect(canary.paths).toEqual(['/hook']);
});

test('an allowed range allows nothing else', async () => {
  const egress = guard(['127.0.0.1'], ['127.0.0.9/32']);
  for (const host of [
    '127.0.0.1',
    '[::1]',
    '0.0.0.0',
    '[64:ff9b::7f00:9]',
    'localhost',
    'name.test',
  ])
    expect(await attempt(egress, `http://${host}:${canary.port}/`)).toEqual(REFUSED);
});

test('an address that is not allowed is refused by name when a target is saved', async () => {
  await using database = await createDatabase();
  await using api = openApp(database.url, {}, { allowCidrs: ['10.1.0.0/16'] });
  const name = 't';
  const ok = { name, base_url: 'https://10.1.2.3/in' };
  const { status, body: made } = await api.request('POST', '/v1/targets', ok);
  expect(status).toBe(201);
  for (const host of [
    '127.0.0.1',
    '0x7f.1',
    '[::ffff:10.2.0.1]',
    '10.2.0.1',
    'localhost',
    'a.localhost.',
    '1.1.1.1:25',
  ]) {
    const base_url = `http://${host}/`;
    for (const [method, path, body] of [
      ['POST', '/v1/targets', { name, base_url }],
      ['POST', '/v1/targets/test', { name, base_url }],
      ['PATCH', `/v1/targets/${made.id}`, { base_url }],
    ] as const) {
      const answer = await api.request(method, path, body);
      expect([host, answer.status, answer.body.code, answer.body.errors?.[0].pointer]).toEqual([
        host,
        422,
        'address_refused',
        '/base_url',
      ]);
    }
  }
  const { body } = await api.request('GET', `/v1/targets/${made.id}`);
  expect(body.base_url).toBe(ok.base_url);
});
