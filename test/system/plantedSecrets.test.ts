import { randomBytes } from 'node:crypto';

import { Client, Connection } from '@temporalio/client';
import { expect, inject, test } from 'vitest';

import { openDb, type Db } from '../../src/db/db.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { selfSigned } from '../support/certificate.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { openMailServer } from '../support/mailServer.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { openReceiver, type Respond } from '../support/receiver.ts';
import { openTokenServer } from '../support/tokenServer.ts';

const mark = randomBytes(6).toString('hex');
const planted = (what: string): string => `planted-${what}-${mark}`;

const own = selfSigned();
const SECRETS = {
  'basic password': planted('password'),
  'bearer token': planted('bearer'),
  'header value': planted('header-value'),
  'secret header': planted('secret-header'),
  'client secret': planted('client-secret'),
  'access token': planted('access-token'),
  'API key': planted('api-key'),
  'encryption key': randomBytes(32).toString('base64'),
  'basic pair': Buffer.from(`ann:${planted('password')}`).toString('base64'),
  'private key': own.key.split('\n')[2] ?? '',
};
/** In `base_url`, which its owner sees. */
const QUERY_KEY = planted('query-key');
const DATA = planted('entry-data');

const BY_TYPE = {
  basic: { type: 'basic', username: 'ann', password: SECRETS['basic password'] },
  bearer: { type: 'bearer', token: SECRETS['bearer token'] },
  header: { type: 'header', name: 'X-Api-Key', value: SECRETS['header value'] },
  oauth2: {
    type: 'oauth2',
    token_url: '',
    client_id: 'me',
    client_secret: SECRETS['client secret'],
  },
};

/** Tells everything it was sent as credentials in its answer, as some frameworks' error pages do. */
const echoes =
  (status: number): Respond =>
  ({ headers }, response) =>
    void response
      .writeHead(status)
      .end(
        `${headers.authorization ?? ''} ${String(headers['x-api-key'] ?? '')} ${String(headers['x-gateway-token'])} `,
      );

test('planted secrets are in no log, history, mail, answer or table, and an entry’s data only in its stream', async () => {
  await using database = await createDatabase();
  await using db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  await using smtp = await openMailServer();
  await using alerts = await openReceiver();
  await using tokens = await openTokenServer();
  await using receiver = await openReceiver(echoes(500));
  tokens.respond = (response) =>
    response.end(
      JSON.stringify({
        access_token: SECRETS['access token'],
        token_type: 'bearer',
        expires_in: 60,
      }),
    );
  await using cluster = await openCluster(database.url, {
    LOG_LEVEL: 'trace',
    SMTP_URL: smtp.url,
    MILLRACE_API_KEY: SECRETS['API key'],
    MILLRACE_ENCRYPTION_KEYS: `k1:${SECRETS['encryption key']}`,
    MILLRACE_ALERT_WEBHOOK: `${alerts.url}?key=${QUERY_KEY}`,
    MILLRACE_RETRY_WINDOW: '4s',
  });
  const server = await cluster.startServer();
  const worker = await cluster.startWorker();
  const answers: string[] = [];
  const ask = async <T>(method: string, path: string, body?: unknown): Promise<T> => {
    const answer = await cluster.request<T>(method, path, body);
    answers.push(JSON.stringify(answer));
    return answer;
  };

  const consumers: string[] = [];
  const signing: string[] = [];
  for (const credentials of Object.values({
    ...BY_TYPE,
    oauth2: { ...BY_TYPE.oauth2, token_url: tokens.url },
  })) {
    // Whole once, to whoever makes or rotates it.
    const made = await cluster.request<Target>('POST', '/v1/targets', {
      name: credentials.type,
      base_url: `${receiver.url}?key=${QUERY_KEY}`,
      credentials,
      headers: { 'X-Gateway-Token': SECRETS['secret header'] },
    });
    const path = `/v1/targets/${made.id}`;
    const rotated = await cluster.request<Target>('POST', `${path}/rotate-secret`, {});
    signing.push(made.signing_secret.slice(6), rotated.signing_secret.slice(6));
    await ask('POST', `${path}/test`);
    await ask('PATCH', path, { name: `${credentials.type} again` });
    await askWrongly(cluster, path, credentials);
    const { id } = await ask<Consumer>('POST', '/v1/consumers', {
      name: credentials.type,
      target_id: made.id,
      stream: 'events',
      start: 'beginning',
    });
    consumers.push(id);
  }
  consumers.push(await sendWithCertificate(ask, cluster, alerts.url));
  const event = { sync_id: 's', collection_id: 'shop:order', upstream_id: 'o', event: 'created' };
  const data = { note: DATA };
  await ask('POST', '/v1/events', { events: [{ ...event, data }] });
  for (const id of consumers) {
    await until(async () => (await cluster.get(id)).status === 'stopped', { timeoutMs: 120_000 });
  }
  await until(() => smtp.of('stopped').length > 0, { timeoutMs: 120_000 });
  await until(() => alerts.received.length > 0, { timeoutMs: 120_000 });

  for (const list of ['targets', 'consumers', 'changes', 'info']) await ask('GET', `/v1/${list}`);
  for (const id of consumers) {
    await ask('GET', `/v1/consumers/${id}`);
    await ask('GET', `/v1/consumers/${id}/dead-letters`);
  }
  const wire = JSON.stringify(receiver.received);
  const places = {
    logs: server.stderr() + worker.stderr(),
    histories: await historiesOf(consumers),
    mails: smtp.mails.map(({ text, headers }) => text + JSON.stringify(headers)).join('\n'),
    'alert webhooks': alerts.received.map(({ body }) => body).join('\n'),
    'API answers': answers.join('\n'),
    database: await dump(db, []),
  };
  expect(await worker.stop()).toBe(0);
  expect(await server.stop()).toBe(0);
  places.logs += server.stderr() + worker.stderr();

  // They were there to be found: on the wire, and where data belongs.
  for (const secret of [
    'bearer token',
    'header value',
    'secret header',
    'access token',
    'basic pair',
  ] as const) {
    expect(wire).toContain(SECRETS[secret]);
  }
  expect(places.database).toContain(DATA);
  expect(places.logs.length).toBeGreaterThan(1_000);
  expect(places.histories).toContain('retryWindowMs'); // what is in payloads, too
  for (const [place, text] of Object.entries(places)) {
    for (const [what, secret] of [
      ...Object.entries(SECRETS),
      ...signing.map((secret) => ['signing secret', secret] as const),
    ]) {
      expect([place, what, text.includes(secret)]).toEqual([place, what, false]);
    }
  }
  for (const place of ['logs', 'histories', 'mails', 'alert webhooks'] as const) {
    expect([place, places[place].includes(QUERY_KEY)]).toEqual([place, false]);
    expect([place, places[place].includes(DATA)]).toEqual([place, false]);
  }
  expect(await dump(db, ['targets'])).not.toContain(QUERY_KEY);
  expect(await dump(db, ['records', 'events', 'parked', 'dead_letters'])).not.toContain(DATA);
}, 480_000);

/** A consumer whose target has a client certificate, and an endpoint that speaks no TLS. */
async function sendWithCertificate(
  ask: <T>(method: string, path: string, body?: unknown) => Promise<T>,
  cluster: Cluster,
  url: string,
): Promise<string> {
  const client_certificate = { certificate: own.cert, key: own.key };
  const base_url = url.replace('http:', 'https:');
  const made = await cluster.request<Target>('POST', '/v1/targets', {
    name: 'mutual',
    base_url,
    client_certificate,
  });
  const path = `/v1/targets/${made.id}`;
  await ask('POST', `${path}/test`);
  for (const given of [
    { ...client_certificate, key: own.key.slice(0, -40) },
    { ...client_certificate, certificate: own.cert + own.key },
    { ...client_certificate, certificate: selfSigned().cert },
    { ...client_certificate, more: 1 },
  ]) {
    const body = { client_certificate: given };
    const refused = await cluster.request('PATCH', path, body).catch((error: Error) => error);
    expect((refused as Error).message).toMatch(/^PATCH \S+ 422 /u);
    expect((refused as Error).message).not.toContain(SECRETS['private key']);
  }
  const consumer = { name: 'mutual', target_id: made.id, stream: 'events', start: 'beginning' };
  const { id } = await ask<Consumer>('POST', '/v1/consumers', consumer);
  return id;
}

/** Requests that fail, with secrets in them. */
async function askWrongly(cluster: Cluster, path: string, credentials: object): Promise<void> {
  for (const body of [
    { credentials, headers: { Host: 'x' } },
    { credentials: { ...credentials, more: 1 } },
    { headers: { 'X-Gateway-Token': `${SECRETS['secret header']}é` } },
    { credentials, base_url: 'http://10.0.0.1' },
    `{"credentials": ${JSON.stringify(credentials)}`,
  ]) {
    const refused = await cluster.request('PATCH', path, body).catch((error: Error) => error);
    const { message } = refused as Error;
    expect(message).toMatch(/^PATCH \S+ 4(00|22) /u);
    for (const secret of Object.values(SECRETS)) expect(message).not.toContain(secret);
  }
}

/** Everything in the tables, as text; of some not. */
async function dump(db: Db, without: string[]): Promise<string> {
  const { rows: tables } = await db.query<{ name: string; parent: string }>(`
    select c.relname as name, coalesce(p.relname, c.relname) as parent
      from pg_class c
      left join pg_inherits i on i.inhrelid = c.oid
      left join pg_class p on p.oid = i.inhparent
     where c.relnamespace = 'public'::regnamespace and c.relkind = 'r'`);
  const texts: string[] = [];
  for (const { name, parent } of tables) {
    if (without.includes(parent)) continue;
    const { rows } = await db.query<{ row: string }>(`select t::text as row from "${name}" t`);
    texts.push(...rows.map(({ row }) => row));
  }
  return texts.join('\n');
}

/** Everything that Temporal keeps of the workflows; payloads as the text they hold. */
async function historiesOf(consumers: string[]): Promise<string> {
  const connection = await Connection.connect({ address: inject('temporalAddress') });
  try {
    const client = new Client({ connection });
    const texts: string[] = [];
    for (const id of consumers) {
      const handle = client.workflow.getHandle(`consumer/${id}`);
      const { raw } = await handle.describe();
      texts.push(textOf(raw), textOf(await handle.fetchHistory()));
    }
    return texts.join('\n');
  } finally {
    await connection.close();
  }
}

/** Payloads are base64 in it. */
function textOf(value: unknown): string {
  return JSON.stringify(value, (key, part: unknown) =>
    key === 'data' && typeof part === 'string' ? Buffer.from(part, 'base64').toString() : part,
  );
}
