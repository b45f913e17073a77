import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { createServer, type RequestListener } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { KEY, openOwnApp, type OwnApp } from '../support/app.ts';
import { selfSigned } from '../support/certificate.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { listening } from '../support/listening.ts';
import { serve, type Served } from '../support/serve.ts';

let api: OwnApp;
let served: Served;
let folder: string;

beforeAll(async () => {
  api = await openOwnApp();
  served = await serve(api);
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  const target = { name: 'shop', base_url: 'https://example.com' };
  const { body } = await api.request('POST', '/v1/targets', target);
  for (const name of ['My first consumer', 'My second consumer', 'other']) {
    const input = { name, target_id: body.id, stream: 'events' };
    await api.request('POST', '/v1/consumers', input);
  }
});
afterAll(async () => {
  await served[Symbol.asyncDispose]();
  await api[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const at = (url: string, args: string[]): Promise<CliResult> =>
  runCli(args, { MILLRACE_URL: url, MILLRACE_API_KEY: KEY }, { cwd: folder });
const cli = (...args: string[]): Promise<CliResult> => at(served.url, args);

const OTHERS: [string, RequestListener][] = [
  ['text', (_, response) => void response.end('hello')],
  ['a page', (_, response) => void response.setHeader('content-type', 'text/html').end('<p>')],
  [
    'JSON of its own',
    (_, response) => {
      response.setHeader('content-type', 'application/json').setHeader('x-request-id', '1');
      response.end('{"hello":"world"}');
    },
  ],
  ['404', (_, response) => void response.writeHead(404).end('not here')],
];
const COMMANDS = ['consumers list', 'targets get x', 'send', 'tail', 'alerts', 'retry x', 'doctor'];

test.each(OTHERS)(
  'no command mistakes a server that answers with %s for Millrace',
  async (kind, answer) => {
    await using other = await listening(createServer(answer));
    for (const command of COMMANDS) {
      if (kind === 'JSON of its own' && command === 'send') continue; // its answer is printed as it is
      const { code, stdout, stderr } = await at(other.url, command.split(' '));
      const isDoctor = command === 'doctor';
      const said = isDoctor ? stdout : stderr;
      expect({ command, said }).toEqual({
        command,
        said: expect.stringContaining(`${other.url} answers, but is not Millrace`),
      });
      expect(`${stdout}${stderr}`).not.toMatch(/^ {4}at |Unexpected token/mu);
      expect({ command, code }).toEqual({ command, code: isDoctor ? 1 : 69 });
    }
  },
);

test('an unexpected answer of an API of another version is explained by the version', async () => {
  const old: RequestListener = ({ url = '' }, response) => {
    const isThere = !url.startsWith('/v1/search');
    const type = isThere ? 'application/json' : 'application/problem+json';
    response.writeHead(isThere ? 200 : 404, { 'content-type': type, 'x-request-id': '1' });
    if (url === '/readyz') response.end('{"status":"ready"}');
    else if (url === '/v1/info') response.end('{"version":"0.0.7"}');
    else if (isThere) response.end('{}');
    else response.end('{"status":404,"detail":"There is nothing at /v1/search"}');
  };
  await using other = await listening(createServer(old));
  for (const [command, why] of [
    ['find x', 'There is nothing at /v1/search'],
    ['consumers get 01a22282-4d54-78ef-84d2-96c4627635a5', 'its answer could not be read'],
  ] as const) {
    const { code, stdout, stderr } = await at(other.url, command.split(' '));
    expect({ code, stdout }).toEqual({ code: 1, stdout: '' });
    expect(stderr).toMatch(
      new RegExp(
        `^Millrace 0\\.0\\.7 answers at ${other.url}, and this command is of \\S+: ${why}\n`,
        'u',
      ),
    );
    expect(stderr).not.toMatch(/^ {4}at /mu);
  }
});

/** The flags for OAuth 2 client credentials. */
function oauth2(tokenUrl: string): string[] {
  const flags = { 'token-url': tokenUrl, 'client-id': 'me', 'client-secret': 'secret-0123456789' };
  return Object.entries(flags).flatMap(([name, value]) => [`--oauth2-${name}`, value]);
}

test.each<[string[], number, RegExp]>([
  [['consumers', 'create', '--name', 'x', '--target', 'shop'], 2, /^--stream is required/u],
  [['consumers', 'create'], 2, /^--name, --target, --stream are required/u],
  [['targets', 'create', '--name', 'x'], 2, /^--base-url is required/u],
  [
    ['targets', 'create', '--name', '', '--base-url', 'ftp://x'],
    1,
    /^--name must not be empty\n {2}--base-url must be an http/u,
  ],
  [
    [
      'targets',
      'create',
      '--name',
      'x',
      '--base-url',
      'https://x.example',
      '--header',
      'webhook-id: 1',
    ],
    1,
    /^--header webhook-id must not be set/u,
  ],
  [
    ['targets', 'rotate-secret', 'shop', '--expires-in', '900d'],
    1,
    /^--expires-in must be at most 2592000/u,
  ],
  [['consumers', 'list', '--status', 'foo'], 2, /--status.*active, paused, blocked, stopped/u],
  [['consumers', 'list', '--sort', 'name'], 2, /--sort.*newest, lag, failed/u],
  [['consumers', 'list', '--cursor', 'abc'], 1, /^--cursor is not a cursor of this list/u],
  [
    [
      'consumers',
      'create',
      '--name',
      'x',
      '--target',
      'shop',
      '--stream',
      'events',
      '--event',
      'bad',
    ],
    2,
    /--event.*created, updated, deleted/u,
  ],
  [
    [
      'consumers',
      'create',
      '--name',
      'x',
      '--target',
      'shop',
      '--stream',
      'events',
      '--alert-email',
      'bad',
    ],
    1,
    /^--alert-email must be an email address/u,
  ],
  [
    [
      'consumers',
      'create',
      '--name',
      'x',
      '--target',
      'shop',
      '--stream',
      'events',
      '--start',
      'soon',
    ],
    2,
    /^--start takes beginning, end, a time/u,
  ],
  [['consumers', 'seek', 'other', 'soon'], 2, /^<place> takes beginning, end, a time.*not "soon"/u],
  [['consumers', 'update', 'other', '--ordering', 'x'], 2, /--ordering.*record, stream, none/u],
  [['consumers', 'preview', '--stream', 'records', '--event', 'created'], 1, /^--event must be/u],
  [['attempts', 'other', '--since', 'yesterday'], 2, /--since.*2026-11-23T10:00:00Z, or how long/u],
  [['attempts', 'other', '--until', '2026-11-23'], 2, /--until.*2026-11-23T10:00:00Z, or how/u],
  [['attempts', 'other', '--limit', '0'], 2, /--limit.*a whole number from 1 to 1000/u],
  [['attempts', 'other', '--limit'], 2, /--limit.*argument missing/u],
  [['attempts', 'other', '--follow', '--cursor', 'x', '--limit', '5'], 2, /^--limit and --cursor/u],
  [['attempts', 'other', '--follow', '--until', '1h'], 2, /^--until can't be used with --follow/u],
  [['consumers', 'preview', '--stream', 'events', '--last', '10001'], 2, /--last.* 1 to 10000/u],
  [['consumers', 'update', 'other'], 2, /^Nothing to change/u],
  [['targets', 'update', 'shop'], 2, /^Nothing to change/u],
  [['send', '--stream', 'records', '--event-id', 'x'], 2, /^--event-id is only for events/u],
  [['resend', 'other', '9007199254740993'], 2, /^<position> must be a whole number/u],
  [['consumers', 'list', '--api-key', ''], 4, /^--api-key is empty\n$/u],
  [['consumers', 'list', '--api-key', 'two words'], 4, /^--api-key has a blank, or a character/u],
  [['consumers', 'list', '--url', 'http://me:pw@127.0.0.1'], 2, /^--url must.*without a login/u],
  [['consumers', 'list', '--url', 'http://127.0.0.1:4600/v1'], 2, /^--url must.*without.*path/u],
  [['consumers', 'list', '--url', ''], 2, /^--url must be an http or https URL/u],
  [['tail', '--since', 'lately'], 2, /^--since takes beginning, end, a time.*not "lately"/u],
  [['attempts', 'other', '--status', 'lots'], 2, /--status.*a whole number from 100 to 599/u],
  [['send', '--event', 'bad'], 2, /--event.*created, updated, deleted/u],
  [['send', '--collection', 'nope'], 1, /^--collection must be provider:name/u],
  [
    ['keys', 'create', '--name', 'x', '--scope', 'read', '--expires-at', 'soon'],
    2,
    /--expires-at.*It must be a time such as/u,
  ],
  [
    ['targets', 'create', '--name', 'x', '--oauth2-token-url', 'https://x.example'],
    2,
    /^OAuth 2 takes --oauth2-token-url, --oauth2-client-id and --oauth2-client-secret/u,
  ],
  [
    ['targets', 'update', 'shop', '--bearer-token', 'abcdefgh', ...oauth2('https://x.example')],
    2,
    /can't be combined/u,
  ],
  [
    ['targets', 'update', 'shop', ...oauth2('ftp://x.example')],
    1,
    /^--oauth2-token-url must be an http/u,
  ],
  [['targets', 'update', 'shop', '--ca', 'missing.pem'], 2, /^missing\.pem can't be read/u],
  [['targets', 'list', '--q', ''], 1, /^--q must not be empty/u],
  [['keys', 'delete', 'abc'], 3, /^There is no API key "abc"/u],
  [['dead-letters', 'get', 'other', 'abc'], 3, /^There is no dead letter "abc"/u],
  [
    ['dead-letters', 'list', 'other', '--status', '4xx'],
    2,
    /--status.*a whole number from 100 to 599, or none/u,
  ],
])('%j exits %i and speaks of the flags that were given', async (args, code, words) => {
  const result = await cli(...args);
  expect(result.stderr.replace(/^error: /u, '')).toMatch(words);
  expect(result.stderr).not.toMatch(/^ {4}at |^\/|Invalid (?:input|option)|Too (?:small|big)/mu);
  expect(result).toMatchObject({ code, stdout: '' });
});

test('dead letters are listed by the code, the status and the record that they failed with', async () => {
  await api.db.query(`
    insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, body,
                              attempts, parked_at, died_at, last_failure)
    select gen_random_uuid(), k.id, n, 'm', 's', 'a:b', 'r' || n, '{}', 9, now(), now() - n * interval '1 s',
           json_build_object('code', case n when 3 then 'TIMEOUT' else 'HTTP_4XX' end,
                             'status', case n when 1 then 422 when 2 then 404 end, 'detail', '', 'at', '',
                             'response_head', null)
      from consumers k, generate_series(1, 3) n where k.name = 'My second consumer'`);
  for (const [flags, records] of [
    [[], ['r1', 'r2', 'r3']],
    [['--status', '404'], ['r2']],
    [['--status', 'none'], ['r3']],
    [
      ['--code', 'HTTP_4XX'],
      ['r1', 'r2'],
    ],
    [['--upstream-id', 'r1', '--status', '422'], ['r1']],
  ] as const) {
    const list = ['dead-letters', 'list', 'My second consumer', ...flags];
    const { data } = JSON.parse((await cli(...list, '--json')).stdout);
    const found = data.map((one: { upstream_id: string }) => one.upstream_id);
    expect({ flags, found }).toEqual({ flags, found: records });
  }
  expect((await cli('dead-letters', 'list', 'My second consumer')).stdout).toContain(
    'HTTP_4XX 404',
  );
});

test('a consumer is found by the beginning of its name, in any case, and several are listed', async () => {
  expect(await cli('consumers', 'get', 'my first')).toMatchObject({
    code: 0,
    stdout: expect.stringMatching(/^Name +My first consumer$/mu),
  });
  const several = await cli('consumers', 'get', 'My');
  expect(several.code).toBe(2);
  expect(several.stderr).toMatch(/^2 consumers begin with "My"; give the id of one of them:$/mu);
  expect(several.stderr).toMatch(/^ {2}[\da-f-]{36} {2}My first consumer$/mu);
  const within = await cli('consumers', 'get', 'second');
  expect(within.code).toBe(3);
  expect(within.stderr).toContain('There is no consumer "second"; did you mean:');
});

test('lists and single things show names beside ids', async () => {
  const { code, stdout: sorted } = await cli('consumers', 'list', '--sort', 'lag');
  expect([code, sorted]).toEqual([0, expect.stringMatching(/^other +active +shop +events /mu)]);
  const { stdout } = await cli('consumers', 'list');
  expect(stdout).toMatch(/^NAME +STATUS +TARGET +STREAM /mu);
  expect(stdout).toMatch(/^other +active +shop +events /mu);
  expect((await cli('consumers', 'get', 'other')).stdout).toMatch(
    /^Target +shop \([\da-f-]{36}\)$/mu,
  );
});

test('a target takes OAuth 2 credentials and certificates from flags, and lets both go again', async () => {
  const { cert } = selfSigned();
  await writeFile(join(folder, 'ca.pem'), cert);
  const flags = [...oauth2('https://auth.example.com/token'), '--oauth2-scope', 'hooks'];
  const made = await cli(
    'targets',
    'create',
    '--name',
    'Bank of Accra',
    '--base-url',
    'https://bank.example.com',
    ...flags,
    '--ca',
    'ca.pem',
    '--json',
  );
  expect(JSON.parse(made.stdout)).toMatchObject({
    credentials: {
      type: 'oauth2',
      token_url: 'https://auth.example.com/token',
      client_id: 'me',
      client_secret: '••••6789',
      scope: 'hooks',
    },
    ca: cert,
  });
  const update = ['targets', 'update', 'bank', '--no-ca', '--no-credentials', '--json'];
  expect(JSON.parse((await cli(...update)).stdout)).toMatchObject({
    credentials: { type: 'none' },
    ca: null,
  });
});

test('targets are listed by a part of their name or URL', async () => {
  const target = { name: 'Till of Tema', base_url: 'https://tema.example.com/hooks' };
  await api.request('POST', '/v1/targets', target);
  for (const text of ['till', 'TEMA.example']) {
    const { stdout } = await cli('targets', 'list', '--q', text);
    expect(stdout.trimEnd().split('\n')).toEqual([
      expect.stringMatching(/^NAME /u),
      expect.stringMatching(/^Till of Tema /u),
    ]);
  }
});

test('the syncs and collections that were seen are listed with their counts', async () => {
  for (const collection of ['shop:order', 'shop:item', 'shop:order']) {
    await cli('send', '--sync', 'seen', '--collection', collection);
  }
  const syncs = await cli('syncs', 'list');
  expect(syncs.stdout).toMatch(/^SYNC +NAME +EVENTS +RECORDS +LAST CHANGE$/mu);
  expect(syncs.stdout).toMatch(/^seen +– +3 +0 +2\S+Z$/mu);
  const collections = await cli('collections', 'list', '--sync', 'seen');
  expect(collections.stdout).toMatch(/^shop:order +seen +2 +0 +2\S+Z$/mu);
  expect(collections.stdout).toMatch(/^shop:item +seen +1 +0 +2\S+Z$/mu);
  const first = await cli('collections', 'list', '--sync', 'seen', '--limit', '1');
  expect(first.stdout).not.toContain('shop:item');
  expect(first.stderr).toMatch(/^There are more: --cursor \S+$/mu);
  expect((await cli('collections', 'list', '--sync', 'none')).stdout).toBe('');
});

test('an API key is revoked by its name', async () => {
  expect((await cli('keys', 'create', '--name', 'producer', '--scope', 'ingest')).code).toBe(0);
  expect((await cli('keys', 'delete', 'prod')).code).toBe(0);
  const { stdout } = await cli('keys', 'list');
  expect(stdout).toMatch(/^producer +ingest +– +2\S+Z +[\da-f-]{36}$/mu);
  expect((await cli('keys', 'delete', 'prod')).code).toBe(3); // it is revoked already
});
