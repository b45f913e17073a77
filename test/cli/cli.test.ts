import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Consumer } from '../../src/schema/consumer.ts';
import type { Preview } from '../../src/schema/preview.ts';
import type { Target } from '../../src/schema/target.ts';
import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { openReceiver } from '../support/receiver.ts';

let database: TestDatabase;
let cluster: Cluster;
let folder: string;

beforeAll(async () => {
  database = await createDatabase();
  cluster = await openCluster(database.url);
  await Promise.all([cluster.startServer(), cluster.startWorker()]);
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(folder, { recursive: true });
});

const cli = (...args: string[]): Promise<CliResult> => runCli(args, cluster.api, { cwd: folder });

/** The JSON that a command prints; fails when it does not exit 0. */
async function json<T>(...args: string[]): Promise<T> {
  const { code, stdout, stderr } = await cli(...args, '--json');
  expect({ args, code, stderr: code === 0 ? '' : stderr }).toEqual({ args, code: 0, stderr: '' });
  return JSON.parse(stdout) as T;
}

test('a target and a consumer are created, changed, given commands and deleted by their names', async () => {
  await using receiver = await openReceiver();
  const target = await json<Target>(
    'targets',
    'create',
    '--name',
    'shop',
    '--base-url',
    receiver.url,
  );
  expect(target.signing_secret).toMatch(/^whsec_/u);
  expect((await json<{ outcome: string }>('targets', 'test', 'shop')).outcome).toBe('delivered');
  const updated = await json<Target>(
    ...'targets update shop --header X-Shop:1 --rate-limit 50 --bearer-token abcdefgh'.split(' '),
  );
  expect(updated).toMatchObject({
    headers: { 'X-Shop': '1' },
    rate_limit: 50,
    credentials: { type: 'bearer', token: '••••' },
  });
  const { health: _health, ...kept } = updated; // its time is that of the answer
  expect(await json('targets', 'get', target.id)).toMatchObject(kept);
  const listed = { data: [kept], next_cursor: null };
  expect(await json('targets', 'list')).toMatchObject(listed);

  const flags = ['--name', 'orders', '--target', 'shop', '--stream', 'events'];
  const more = ['--collection', 'shop:order', '--batch', 'entries=50,wait=10ms'];
  const made = await json<Consumer>('consumers', 'create', ...flags, ...more);
  expect(made).toMatchObject({ target_id: target.id, collections: ['shop:order'] });
  expect(made.batch).toEqual({ max_entries: 50, max_bytes: 1_048_576, max_wait_ms: 10 });
  expect((await cli('consumers', 'get', 'orders')).stdout).toMatch(/^Batches +up to 50 entries/mu);
  expect((await json<Consumer>('consumers', 'get', made.id.slice(0, 20))).id).toBe(made.id);

  const sent = await json<object>(
    'send',
    '--collection',
    'shop:order',
    '--data',
    '{"n":9007199254740993}',
  );
  expect(sent).toMatchObject({ accepted: 1, duplicates: 0 });
  await until(() => receiver.received.some(({ body }) => body.includes('9007199254740993')));

  expect((await json<Consumer>('consumers', 'pause', 'orders')).status).toBe('paused');
  const conflict = await cli('retry', 'orders');
  expect(conflict.code).toBe(5);
  expect((await json<Consumer>('consumers', 'resume', made.id)).status).toBe('active');
  expect((await json<Consumer>('retry', made.id)).status).toBe('active');
  expect(await json('dead-letters', 'replay', made.id, '--all')).toEqual({ count: 0 });
  const delta = ['--add-collection', 'shop:item', '--remove-collection', 'shop:order'];
  const filtered = await json<Consumer>('consumers', 'filter', 'orders', ...delta);
  expect(filtered.collections).toEqual(['shop:item']);
  const every = await json<Consumer>('consumers', 'filter', 'orders', '--add-event', '*');
  expect(every.event_types).toEqual(['*']);
  const where = ['--where', 'event.data.n > 1'];
  expect((await json<Consumer>('consumers', 'filter', 'orders', ...where)).where).toBe(where[1]);
  expect((await cli('consumers', 'get', 'orders')).stdout).toMatch(/^Where +event\.data\.n > 1$/mu);
  const tried = await json<Preview>('consumers', 'preview', '--stream', 'events', ...where);
  expect(tried).toMatchObject({ listed: 1, tried: 1, matched: 1, failed: 0 });
  const refused = await cli('consumers', 'update', 'orders', '--where', 'event.data.n >');
  expect(refused.code).toBe(1);
  expect(refused.stderr).toContain(
    '--where, line 1, column 15: A value is expected here, but the expression ends.\n' +
      '  event.data.n >\n' +
      '                ^\n',
  );
  expect((await json<Consumer>('consumers', 'update', 'orders', '--no-where')).where).toBeNull();
  const patched = await json<Consumer>('consumers', 'update', 'orders', '--path', '/orders');
  expect(patched.path).toBe('/orders');
  const single = await json<Consumer>('consumers', 'update', 'orders', '--batch', 'none');
  expect(single.batch).toBeNull();
  expect((await json<Consumer>('consumers', 'pause', 'orders')).status).toBe('paused'); // or it moves on
  expect((await json<Consumer>('consumers', 'seek', 'orders', '1h')).position).toBe(0);
  expect(await json('dead-letters', 'list', 'orders')).toEqual({ data: [], next_cursor: null });

  expect((await cli('targets', 'delete', 'shop')).code).toBe(5);
  expect((await cli('consumers', 'delete', 'orders')).code).toBe(0);
  expect((await cli('targets', 'delete', 'shop')).code).toBe(0);
  expect((await cli('consumers', 'get', made.id)).code).toBe(3);
}, 240_000);

test('a name that several things have is refused with the candidates, and an unknown one with similar names', async () => {
  const { id } = await json<Target>(
    'targets',
    'create',
    '--name',
    't',
    '--base-url',
    'https://example.com',
  );
  const make = (name: string): Promise<Consumer> =>
    json('consumers', 'create', '--name', name, '--target', 't', '--stream', 'events');
  const twins = [await make('twin'), await make('twin')];
  const several = await cli('consumers', 'get', 'twin');
  expect(several.code).toBe(2);
  for (const one of twins) expect(several.stderr).toContain(one.id);
  const none = await cli('consumers', 'get', 'win');
  expect(none.code).toBe(3);
  expect(none.stderr).toContain('There is no consumer "win"; did you mean:');
  expect((await cli('targets', 'get', 'nothing like it')).code).toBe(3);
  expect((await cli('targets', 'get', id.slice(0, 13))).code).toBe(0);
});

test('the output is a table without colours or control characters when stdout is not a terminal', async () => {
  await json('targets', 'create', '--name', 'esc \u001B[31m', '--base-url', 'https://example.com');
  const { code, stdout } = await cli('targets', 'list');
  expect(code).toBe(0);
  const [head, first] = stdout.split('\n');
  expect(head).toMatch(/^NAME +HEALTH +ID +URL$/u);
  expect(first).toMatch(/^esc {2}\[31m +not tried yet +[\da-f-]{36} +https:\/\/example\.com$/u);
});

test('get --watch prints each change as a line of JSON until Ctrl-C', async () => {
  await json('targets', 'create', '--name', 'w', '--base-url', 'https://example.com');
  await json('consumers', 'create', '--name', 'watched', '--target', 'w', '--stream', 'events');
  const watching = startCli(['consumers', 'get', 'watched', '--watch', '--json'], cluster.api);
  const statuses = (): string[] =>
    watching
      .stdout()
      .split('\n')
      .filter((line) => line !== '')
      .map((line) => (JSON.parse(line) as Consumer).status);
  await until(() => statuses().includes('active'));
  await json('consumers', 'pause', 'watched');
  await until(() => statuses().includes('paused'));
  watching.child.kill('SIGINT');
  expect((await watching.ended).code).toBe(130);
});

test('a command whose output is closed by its reader ends without an error', async () => {
  const path = fileURLToPath(new URL('../../cli.ts', import.meta.url));
  const child = spawn(
    'sh',
    ['-c', `"$0" "$1" tail --since beginning --json | head -n 1`, process.execPath, path],
    {
      env: { PATH: process.env['PATH'], ...cluster.api },
      stdio: ['ignore', 'ignore', 'pipe'],
    },
  );
  let stderr = '';
  child.stderr.on('data', (chunk: Buffer) => (stderr += chunk.toString()));
  const closed = once(child, 'close');
  // It hears that nobody reads when it writes again.
  let ended = false;
  void closed.then(() => (ended = true));
  while (!ended) await json('send');
  expect(stderr).toBe('');
});

test('a reader that closes the output does not turn a failure into a success', async () => {
  await json('targets', 'create', '--name', 'refusing', '--base-url', 'http://127.0.0.1:9/');
  const lines = join(folder, 'unread.ndjson');
  await writeFile(lines, '{\n'.repeat(5_000));
  for (const [command, codes] of [
    ['targets test refusing', [1]],
    [`import ${lines} 2>&1`, [1, 130]], // it has ended, or was interrupted
    ['attempts nobody 2>&1', [3]],
  ] as const) {
    const path = fileURLToPath(new URL('../../cli.ts', import.meta.url));
    const piped = `set -o pipefail; '${process.execPath}' '${path}' ${command} | true`;
    const child = spawn('bash', ['-c', piped], {
      env: { PATH: process.env['PATH'], ...cluster.api },
      stdio: 'ignore',
    });
    const [code] = (await once(child, 'close')) as [number];
    expect({ command, code }).toEqual({ command, code: expect.toBeOneOf([...codes]) });
  }
});

test.each<[string[], number, RegExp]>([
  [['targts'], 2, /Did you mean targets\?/u],
  [['consumers', 'resum', 'x'], 2, /Did you mean resume\?/u],
  [['resume', 'x'], 2, /Did you mean .*millrace consumers resume/u],
  [['consumers', 'attempts', 'x'], 2, /Did you mean millrace attempts\?/u],
  [['list'], 2, /unknown command 'list'/u],
  [['targets', 'list', '--limt', '3'], 2, /Did you mean --limit\?/u],
  [['targets', 'list', '--limit', 'many'], 2, /a whole number from 1 to 1000/u],
  [['consumers', 'list', '--has', 'all'], 2, /parked, dead_letters, cannot_start/u],
  [['consumers'], 2, /Examples:/u],
  [['consumers', 'get'], 2, /missing required argument 'consumer'/u],
  [['consumers', 'filter', 'x'], 2, /Nothing to change/u],
  [['dead-letters', 'replay', 'x'], 2, /--all, or --id/u],
  [['resend', 'x', 'y'], 2, /<position> must be a whole number/u],
  [['targets', 'create', '--header', 'nothing'], 2, /name=value/u],
  [['targets', 'create', '--basic', 'a:b', '--bearer-token', 'c'], 2, /can't be combined/u],
  [
    ['targets', 'create', '--header-key', 'a=1', '--header-key', 'b=2'],
    2,
    /--header-key can be given only once/u,
  ],
  [['dev', '--port', 'http'], 2, /--port.*a whole number from 0 to 65535/u],
  [['send', '--data', '{'], 2, /--data takes JSON/u],
  [['send', '--data', '@missing.json'], 2, /missing\.json can't be read: it does not exist$/mu],
  [['targets', 'list', '--url', 'localhost'], 2, /--url must be an http or https URL/u],
  [['targets', 'create', '--name', 'x', '--base-url', 'ftp://x'], 1, /^--base-url must be/u],
  [['targets', 'list', '--api-key', 'wrong-key-0123456789'], 4, /Unknown API key/u],
  [
    ['targets', 'list', '--url', 'http://127.0.0.1:9'],
    69,
    /does not answer at http:\/\/127\.0\.0\.1:9/u,
  ],
  [['signature', 'verify', '--secret', 'x'], 2, /--body/u],
])('%j exits with %i and says why, without a stack trace', async (args, code, words) => {
  const result = await cli(...args);
  expect(result.stderr).toMatch(words);
  expect(result.stderr).not.toMatch(/^ {4}at /mu);
  expect(result).toMatchObject({ code, stdout: '' });
});

test('an error of the API names the page that explains it, in one line after the reason', async () => {
  const { stdout, stderr } = await cli('targets', 'list', '--api-key', 'wrong-key-0123456789');
  const [, page = '', code] = /^ {2}See (\S+#(\w+))\n$/mu.exec(stderr) ?? [];
  expect([stdout, code]).toEqual(['', 'unauthorized']);
  expect(page).toBe(`${cluster.api['MILLRACE_URL']}/docs/errors#unauthorized`);
  expect(await (await fetch(page)).text()).toContain('id="unauthorized"');
  expect(stderr).toContain('The key is that of --api-key. Set another one with --api-key or');
  const env = { ...cluster.api, MILLRACE_API_KEY: 'wrong-key-0123456789' };
  expect((await runCli(['targets', 'list'], env)).stderr).toContain('that of MILLRACE_API_KEY.');
  const https = cluster.api.MILLRACE_URL.replace('http:', 'https:');
  expect((await cli('targets', 'list', '--url', https)).stderr).toContain('try http://');
  const away = await cli('targets', 'list', '--url', 'http://127.0.0.1:9');
  expect(away.stderr).not.toContain('See');
});

test('without an API key it says how to provide one', async () => {
  const { code, stderr } = await runCli(['targets', 'list'], {}, { cwd: folder });
  expect(code).toBe(4);
  expect(stderr).toContain('MILLRACE_API_KEY');
  expect(stderr).toContain(`there is none in ${join(folder, '.millrace', 'api-key')}\n`);
  expect(stderr).toContain('millrace dev');
});

test.each([[[]], [['targets']], [['consumers']], [['listen']], [['import']], [['doctor']]])(
  'the help of %j begins with examples and goes to stdout',
  async (args) => {
    const { code, stdout } = await cli(...args, '--help');
    expect(code).toBe(0);
    expect(stdout).toMatch(/^Examples:\n {2}millrace /u);
  },
);

test('doctor finds nothing wrong with a healthy installation, and names the faults of a broken one', async () => {
  const { env } = cluster;
  const well = await runCli(['doctor', '--json'], { ...env, ...cluster.api });
  const checks = (JSON.parse(well.stdout) as { checks: Finding[] }).checks;
  expect(checks.filter(({ status }) => status === 'fail')).toEqual([]);
  expect(well.code).toBe(0);
  const names = checks.map(({ name }) => name);
  for (const name of ['Node', 'Postgres', 'Postgres writes', 'Migrations', 'Clock of Postgres']) {
    expect(names).toContain(name);
  }
  for (const name of ['Temporal', 'Temporal namespace', 'Search attributes', 'Disk', 'Proxy']) {
    expect(names).toContain(name);
  }
  expect(names).toEqual(expect.arrayContaining(['API', 'Clock of the API', 'API key']));
  expect(checks.find(({ name }) => name.startsWith('Port '))?.detail).toBe('used by Millrace');

  const ill = await runCli(['doctor', '--json'], {
    ...env,
    ...cluster.api,
    DATABASE_URL: 'postgres://me:hidden-password@127.0.0.1:9/none',
    TEMPORAL_NAMESPACE: 'nowhere',
    MILLRACE_API_KEY: 'wrong-key-0123456789',
    HTTPS_PROXY: 'http://proxy:3128',
  });
  expect(ill.code).toBe(1);
  const found = (JSON.parse(ill.stdout) as { checks: Finding[] }).checks;
  const bad = new Map(found.map((one) => [one.name, one.status]));
  for (const name of ['Postgres', 'Temporal namespace', 'API key'])
    expect(bad.get(name)).toBe('fail');
  expect(bad.get('Proxy')).toBe('warn');
  expect(ill.stdout).not.toContain('hidden-password');
  for (const { status, fix } of found) expect(fix === null).toBe(status === 'ok');

  const wrong = await runCli(['doctor'], { ...env, MILLRACE_PORT: 'x' });
  expect(wrong).toMatchObject({ code: 1, stdout: expect.stringContaining('MILLRACE_PORT') });
});

interface Finding {
  name: string;
  status: string;
  detail: string;
  fix: string | null;
}
