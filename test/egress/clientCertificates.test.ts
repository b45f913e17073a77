// targets that show a certificate of their own (mTLS)
import { createPrivateKey, X509Certificate } from 'node:crypto';

import { afterAll, beforeAll, describe, expect, test } from 'vitest';

import { createEgress } from '../../src/egress/egress.ts';
import { createSharedOutlets } from '../../src/egress/sharedOutlets.ts';
import { clockText } from '../../src/rules/clockText.ts';
import { TargetInput } from '../../src/schema/target.ts';
import { openDraft } from '../../src/targets/openTarget.ts';
import { testTarget } from '../../src/targets/testTarget.ts';
import { LOOPBACK, openApp, openOwnApp, type OwnApp } from '../support/app.ts';
import { issue, selfSigned, type Issued } from '../support/certificate.ts';
import { openEgressProxy } from '../support/egressProxy.ts';
import { HOSTS } from '../support/hosts.ts';
import { openMtlsReceiver } from '../support/mtlsReceiver.ts';
import { until as poll } from '../support/poll.ts';
import { openStrictTls } from '../support/strictTls.ts';
import { openWorld, someEvents } from '../support/world.ts';

const DAY = 86_400_000;
const server = selfSigned();
const root = issue({ isAuthority: true, subject: 'clients' });
const intermediate = issue({ isAuthority: true, subject: 'intermediate', issuer: root });
const until = Date.now() + 300 * DAY;
const shop = issue({ subject: 'shop', issuer: root, until });
const bank = issue({ subject: 'bank', issuer: root, until });
const below = issue({ subject: 'below', issuer: intermediate, until });
const stranger = selfSigned();

const pem = ({ cert, key }: Pick<Issued, 'cert' | 'key'>) => ({ certificate: cert, key });
const chained = { certificate: below.cert + intermediate.cert, key: below.key };
const middleOf = (key: string): string => key.split('\n')[2] ?? 'no line';

let api: OwnApp;
beforeAll(async () => {
  api = await openOwnApp();
});
afterAll(async () => {
  await api[Symbol.asyncDispose]();
});

const fields = (port: number, client_certificate: object | null = null) => ({
  name: 'mutual',
  base_url: `https://127.0.0.1:${port}/in`,
  ca: server.cert,
  client_certificate,
});

test('a server that requires a client certificate gets it, in tests of a draft and of a stored target', async () => {
  await using receiver = await openMtlsReceiver(server, root.cert);
  const { port } = receiver;
  const draft = await api.request('POST', '/v1/targets/test', fields(port, pem(shop)));
  expect([draft.status, draft.body.outcome]).toEqual([200, 'delivered']);
  const made = await api.request('POST', '/v1/targets', fields(port, chained));
  expect(made.status).toBe(201);
  const path = `/v1/targets/${made.body.id}`;
  expect((await api.request('POST', `${path}/test`)).body.outcome).toBe('delivered');
  expect(receiver.received.map(({ name }) => name)).toEqual(['shop', 'below']);

  await api.request('PATCH', path, { client_certificate: null });
  const { body } = await api.request('POST', `${path}/test`);
  expect(body).toMatchObject({
    outcome: 'failed',
    error_code: 'TLS_FAILED',
    detail: expect.stringContaining('set one as `client_certificate`'),
  });
});

test('what stands around the certificates and the key is no matter', async () => {
  await using receiver = await openMtlsReceiver(server, root.cert);
  const around = (text: string) => `subject=CN = x\r\n${text.replaceAll('\n', '\r\n')}\r\n# end`;
  const ec = createPrivateKey(shop.key).export({ type: 'sec1', format: 'pem' }).toString();
  const parameters =
    '-----BEGIN EC PARAMETERS-----\nBggqhkjOPQMBBw==\n-----END EC PARAMETERS-----\n';
  const given = { certificate: around(shop.cert), key: around(parameters + ec) };
  const { body } = await api.request('POST', '/v1/targets/test', fields(receiver.port, given));
  expect(body.outcome).toBe('delivered');
});

test('a client certificate is sealed at rest with its key, and only what is public of it is shown', async () => {
  const { status, body } = await api.request('POST', '/v1/targets', fields(4, chained));
  expect(status).toBe(201);
  const leaf = new X509Certificate(below.cert);
  const shown = {
    subject: 'CN=below',
    issuer: 'CN=intermediate',
    valid_from: leaf.validFrom,
    valid_until: new X509Certificate(intermediate.cert).validTo, // which ends first
    fingerprint: leaf.fingerprint256,
  };
  const path = `/v1/targets/${body.id}`;
  const edited = await api.request('PATCH', path, { name: 'renamed' });
  const list = await api.request('GET', '/v1/targets');
  const listed = list.body.data.find(({ id }: { id: string }) => id === body.id);
  for (const one of [body, (await api.request('GET', path)).body, edited.body, listed]) {
    expect(one.client_certificate).toMatchObject({
      subject: shown.subject,
      issuer: shown.issuer,
      fingerprint: shown.fingerprint,
    });
    for (const name of ['valid_from', 'valid_until'] as const)
      expect(Date.parse(one.client_certificate[name])).toBe(Date.parse(shown[name]));
    expect(JSON.stringify(one)).not.toContain('-----BEGIN PRIVATE');
    expect(JSON.stringify(one)).not.toContain(middleOf(below.key));
  }
  const { rows } = await api.db.query<{ row: string }>('select t::text as row from targets t');
  const everything = [...rows.map(({ row }) => row), ...api.logged].join('\n');
  expect(everything).not.toContain(middleOf(below.key));
  expect(everything).not.toContain('PRIVATE KEY');
  const none = await api.request('PATCH', path, { client_certificate: null });
  expect(none.body.client_certificate).toBeNull();
});

const encrypted = (type: 'pkcs8' | 'sec1'): string =>
  createPrivateKey(shop.key)
    .export({ type, format: 'pem', cipher: 'aes-256-cbc', passphrase: 'x' } as never)
    .toString();
const old = issue({ subject: 'old', issuer: root, until: Date.now() - DAY });
const soon = issue({
  subject: 'soon',
  issuer: root,
  from: Date.now() + DAY,
  until: Date.now() + 2 * DAY,
});
const oldAuthority = issue({
  isAuthority: true,
  subject: 'older',
  issuer: root,
  until: Date.now() - DAY,
});
const ofOld = issue({ subject: 'of older', issuer: oldAuthority });
const namesake = issue({ isAuthority: true, subject: 'intermediate' });
const weak = issue({ subject: 'weak', issuer: root, rsaBits: 1_024 });
const publicKey = new X509Certificate(shop.cert).publicKey
  .export({ type: 'spki', format: 'pem' })
  .toString();
const broken = shop.cert.replace(/\n.{64}\n/u, '\n');

test.each<[what: string, given: object, field: string, says: string]>([
  [
    'no certificate',
    { certificate: 'none', key: shop.key },
    'certificate',
    'must hold PEM certificates',
  ],
  [
    'a broken certificate',
    { certificate: broken, key: shop.key },
    'certificate',
    "certificate 1 can't be read",
  ],
  [
    'the key in both',
    { certificate: shop.cert + shop.key, key: shop.key },
    'certificate',
    'must hold certificates only, and no private key',
  ],
  ['no key', { certificate: shop.cert, key: 'none' }, 'key', 'must hold a private key as PEM'],
  [
    'a certificate as its key',
    { certificate: shop.cert, key: shop.cert },
    'key',
    'must hold one private key and nothing else',
  ],
  [
    'a public key',
    { certificate: shop.cert, key: publicKey },
    'key',
    'must hold one private key and nothing else',
  ],
  [
    'two keys',
    { certificate: shop.cert, key: shop.key + bank.key },
    'key',
    'must hold one private key and nothing else',
  ],
  [
    'a broken key',
    { certificate: shop.cert, key: shop.key.replace(/\n.{20}/u, '\n') },
    'key',
    "can't be read as a private key",
  ],
  ['an encrypted key', { certificate: shop.cert, key: encrypted('pkcs8') }, 'key', 'is encrypted'],
  [
    'a key encrypted in the old way',
    { certificate: shop.cert, key: encrypted('sec1') },
    'key',
    'is encrypted',
  ],
  [
    'the key of another one',
    { certificate: shop.cert, key: bank.key },
    'key',
    'does not belong to the certificate',
  ],
  [
    'its chain first',
    { certificate: intermediate.cert + below.cert, key: below.key },
    'certificate',
    'must begin with the certificate of the key, which is number 2',
  ],
  [
    'a chain with a gap',
    { certificate: below.cert + root.cert, key: below.key },
    'certificate',
    'number 2 has not issued number 1',
  ],
  [
    'an issuer of the same name',
    { certificate: below.cert + namesake.cert, key: below.key },
    'certificate',
    'number 2 has not issued number 1',
  ],
  ['one that has expired', pem(old), 'certificate', 'has expired: it was valid until'],
  ['one that is not valid yet', pem(soon), 'certificate', 'is not valid before'],
  [
    'an intermediate one that has expired',
    { certificate: ofOld.cert + oldAuthority.cert, key: ofOld.key },
    'certificate',
    'holds a certificate (number 2) that has expired',
  ],
  [
    'a key that is too short',
    pem(weak),
    'certificate',
    "can't be used for TLS (ERR_SSL_EE_KEY_TOO_SMALL)",
  ],
  ['a certificate alone', { certificate: shop.cert }, 'key', 'is required'],
  ['another field', { ...pem(shop), passphrase: 'x' }, 'passphrase', 'is not a known field'],
])(
  '%s is refused by name, for a new target, a stored one and a draft',
  async (_what, given, field, says) => {
    const { body: stored } = await api.request('POST', '/v1/targets', fields(4, pem(shop)));
    for (const [method, path, sent] of [
      ['POST', '/v1/targets', fields(4, given)],
      ['POST', '/v1/targets/test', fields(4, given)],
      ['PATCH', `/v1/targets/${stored.id}`, { client_certificate: given }],
    ] as const) {
      const { status, body } = await api.request(method, path, sent);
      expect([status, body.errors[0].pointer]).toEqual([422, `/client_certificate/${field}`]);
      expect(body.errors[0].detail).toContain(says);
      for (const { key } of [shop, bank, below])
        expect(JSON.stringify(body)).not.toContain(middleOf(key));
    }
  },
);

test('a client certificate needs https, and is sent again for another origin', async () => {
  const http = { name: 't', base_url: 'http://127.0.0.1:4/in', client_certificate: pem(shop) };
  const refused = await api.request('POST', '/v1/targets', http);
  expect([refused.status, refused.body.errors[0].pointer]).toEqual([422, '/client_certificate']);
  const { body } = await api.request('POST', '/v1/targets', fields(4, pem(shop)));
  const path = `/v1/targets/${body.id}`;
  const base_url = 'https://127.0.0.1:5/in';
  const kept = await api.request('PATCH', path, { base_url });
  expect([kept.status, kept.body.errors[0].pointer]).toEqual([422, '/client_certificate']);
  for (const client_certificate of [pem(shop), null])
    expect((await api.request('PATCH', path, { base_url, client_certificate })).status).toBe(200);
  expect((await api.request('PATCH', path, { base_url: 'http://127.0.0.1:5' })).status).toBe(200);
});

test('one that no key opens is named with what to do, and saving it again mends the target', async () => {
  const { body } = await api.request('POST', '/v1/targets', fields(4, pem(shop)));
  await using other = openApp(api.databaseUrl); // with another encryption key
  const path = `/v1/targets/${body.id}`;
  const secrets = ['credentials', 'signing_secret', 'client_certificate'];
  const { body: lost } = await other.request('GET', path);
  expect(lost.unreadable).toEqual(secrets);
  expect(lost.client_certificate.subject).toBe('CN=shop');
  expect(lost.health.notes).toContainEqual(
    expect.stringMatching(/client certificate does not open .*: save it again with its key/u),
  );
  const change = { credentials: { type: 'none' }, client_certificate: pem(bank) };
  await other.request('PATCH', path, change);
  await other.request('POST', `${path}/rotate-secret`, { expires_in: 0 });
  const mended = await other.request('GET', path);
  expect([mended.body.unreadable, mended.body.health.status]).toEqual([[], 'ok']);
  expect(mended.body.client_certificate.subject).toBe('CN=bank');
});

test('a target says that its client certificate ends within 14 days, and that it has ended', async () => {
  const until14 = (days: number) =>
    issue({ subject: 'ends', issuer: root, until: Date.now() + days * DAY });
  const { body: fine } = await api.request('POST', '/v1/targets', fields(4, pem(until14(15))));
  expect(fine.health).toMatchObject({ status: 'ok', notes: [] });
  const { body } = await api.request('POST', '/v1/targets', fields(4, pem(until14(13))));
  const { valid_until } = body.client_certificate;
  expect(body.health).toMatchObject({
    status: 'warn',
    notes: [`Its client certificate ends at ${clockText(valid_until, new Date())}: save a new one`],
  });
  await api.db.query({
    text: `update targets set client_certificate_ends = now() - interval '1 s' where id = $1`,
    values: [body.id],
  });
  const { body: over } = await api.request('GET', `/v1/targets/${body.id}`);
  expect(over.health).toMatchObject({
    status: 'error',
    notes: [expect.stringMatching(/^Its client certificate ended at /u)],
  });
});

describe.each(['TLSv1_2', 'TLSv1_3'] as const)('over %s', (version) => {
  test.each<[what: string, own: Pick<Issued, 'cert' | 'key'>, says: string]>([
    ['of another authority', stranger, 'the server does not accept the client certificate'],
    ['that has expired', old, 'the server says that the client certificate has expired'],
  ])(
    'a server that refuses a certificate %s is a failure of the endpoint that says so',
    async (_what, own, says) => {
      await using strict = await openStrictTls(server, { authority: root.cert, version });
      const egress = createEgress({ allowCidrs: LOOPBACK });
      const about = { egress, userAgent: 'Millrace/test', now: Date.now };
      const draft = (certificate: object) =>
        openDraft(TargetInput.parse(fields(strict.port, certificate)));
      expect((await testTarget(draft(pem(shop)), about)).outcome).toBe('delivered');
      const refused = await testTarget(draft(pem(own)), about);
      expect(refused).toMatchObject({
        outcome: 'failed',
        error_code: 'TLS_FAILED',
        detail: expect.stringContaining(says),
      });
    },
  );
});

test('through an egress proxy a client certificate is shown to the endpoint', async () => {
  const hooks = issue({ isAuthority: true, names: ['hooks.test'] });
  await using receiver = await openMtlsReceiver(hooks, root.cert);
  await using proxy = await openEgressProxy();
  const egress = createEgress({ allowCidrs: [], proxyUrl: proxy.url });
  const base_url = `https://hooks.test:${receiver.port}/in`;
  const input = { ...fields(1, pem(shop)), base_url, ca: hooks.cert };
  const about = { egress, userAgent: 'Millrace/test', now: Date.now };
  const sent = await testTarget(openDraft(TargetInput.parse(input)), about);
  expect(sent.outcome).toBe('delivered');
  expect(proxy.asked).toEqual([expect.stringContaining(`CONNECT hooks.test:${receiver.port} `)]);
  expect(receiver.received.map(({ name }) => name)).toEqual(['shop']);
});

test('senders share connections only where the client certificate is the same', async () => {
  const opened: unknown[] = [];
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const shared = createSharedOutlets({
    egress: { open: (options) => (opened.push(options), egress.open(options)) },
    connections: 4,
    eager: 1,
  });
  const to = { origin: 'https://127.0.0.1:4', connections: 1, connectTimeoutMs: 1_000 };
  for (const clientCertificate of [null, pem(shop), pem(shop), pem(bank), null])
    shared.open({ ...to, clientCertificate });
  expect(opened).toHaveLength(3);
  await shared.close();
});

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test('targets at one host with different certificates do not share connections', async () => {
    await using world = await openWorld(options);
    await using receiver = await openMtlsReceiver(server, root.cert);
    const url = `https://127.0.0.1:${receiver.port}/in`;
    const own = { shop, bank };
    for (const [name, certificate] of Object.entries(own)) {
      const more = { ca: server.cert, client_certificate: pem(certificate) };
      const target = await world.target(url, more);
      await world.consumer(target, { syncs: [name] });
    }
    for (let round = 0; round < 5; round += 1) {
      for (const name of Object.keys(own))
        await world.append.events(someEvents(2, { syncId: name }));
    }
    await poll(() => receiver.received.length === 20);
    for (const { name, body } of receiver.received) expect(body).toContain(`"sync_id":"${name}"`);
    const ports = (of: string) =>
      new Set(receiver.received.filter(({ name }) => name === of).map(({ port }) => port));
    expect(ports('shop').intersection(ports('bank')).size).toBe(0);
  });

  test('once a change of the certificate is answered, every request that starts shows the new one', async () => {
    await using world = await openWorld(options);
    await using receiver = await openMtlsReceiver(server, root.cert);
    const url = `https://127.0.0.1:${receiver.port}/in`;
    const more = { ca: server.cert, client_certificate: pem(shop) };
    const target = await world.target(url, more);
    await world.consumer(target);
    for (let round = 0; round < 6; round += 1) {
      await world.append.events(someEvents(5));
      const next = round % 2 === 0 ? bank : shop;
      const change = { client_certificate: pem(next) };
      const edited = await world.api.request('PATCH', `/v1/targets/${target}`, change);
      expect(edited.status).toBe(200);
      const { position } = await world.append.events(someEvents(1));
      const sent = await poll(() => receiver.received.find((one) => one.position === position));
      expect(sent.name).toBe(next.subject);
    }
  });
});
