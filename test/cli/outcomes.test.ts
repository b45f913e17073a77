import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdtemp, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, test } from 'vitest';

import type { Consumer } from '../../src/schema/consumer.ts';
import type { Status } from '../../src/schema/status.ts';
import { runCli, type CliResult } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster } from '../support/processes.ts';
import { openReceiver } from '../support/receiver.ts';

const CLI = fileURLToPath(new URL('../../cli.ts', import.meta.url));

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

test('retry and resume wait for their outcome, and status says what is wrong until then', async () => {
  await using receiver = await openReceiver((_, response) => void response.writeHead(503).end());
  const { id } = await cluster.consumer(receiver.url, { name: 'orders' });
  const well = await cli('status');
  expect(well).toMatchObject({ code: 0, stderr: '' });
  expect(well.stdout).toMatch(/^ok {4}Worker: answers$/mu);

  expect((await cli('send')).code).toBe(0);
  await until(async () => (await cluster.get(id)).status === 'blocked', { timeoutMs: 60_000 });
  const failed = await cli('retry', 'ord', '--timeout', '60s');
  expect(failed.stderr).toMatch(/^Tried: HTTP 503; the next attempt is at /mu);
  expect(failed.stderr).toContain(`millrace retry ${id}`);
  expect(failed.stdout).toMatch(/^Status +blocked/mu);
  expect(failed.code).toBe(1);
  expect((await cli('retry', 'orders', '--no-wait', '--json')).code).toBe(0);

  const shown = await cli('consumers', 'get', 'orders');
  expect(shown.stdout).toMatch(/^Gives up +2\S+Z, in 23 hours$/mu);
  const nothing = await cli('consumers', 'resume', 'orders', '--timeout', '60s');
  expect(nothing.code).toBe(1);
  expect(nothing.stderr).toMatch(
    /^There was nothing to resume: it is blocked, and retries\. Answered HTTP 503/mu,
  );
  expect(nothing.stderr).toContain(`millrace retry ${id}`);

  const ill = await cli('status');
  expect(ill.code).toBe(1);
  expect(ill.stdout).toMatch(
    /^fail {2}Blocked: 1 consumer is retrying because its endpoint fails\n {6}orders \(target .+\): Answered HTTP 503 since 2\S+Z; gives up at 2\S+Z\n {6}millrace consumers list --status blocked$/mu,
  );
  const { status, parts, figures } = JSON.parse((await cli('status', '--json')).stdout) as Omit<
    Status,
    'status'
  > & { status: string };
  expect({ status, parts }).toEqual({
    status: 'fail',
    parts: { database: true, temporal: true, worker: true },
  });
  expect(figures?.worst).toMatchObject([{ consumer_id: id, status: 'blocked' }]);

  receiver.respond = (_, response) => void response.writeHead(204).end();
  const mended = await cli('retry', 'orders', '--timeout', '60s');
  expect(mended).toMatchObject({ code: 0, stderr: expect.stringMatching(/Tried: 1 delivered$/mu) });

  expect((await cli('consumers', 'pause', 'orders')).code).toBe(0);
  expect((await cli('send', '--id', 'cus_2')).code).toBe(0);
  const resumed = await cli('consumers', 'resume', 'orders', '--json', '--timeout', '60s');
  expect(resumed).toMatchObject({ code: 0, stderr: expect.stringContaining('1 delivered') });
  expect(JSON.parse(resumed.stdout) as Consumer).toMatchObject({ id, status: 'active' });
  const idle = await cli('retry', 'orders');
  expect(idle).toMatchObject({ code: 0, stderr: 'Nothing is waiting\n' });
  const active = await cli('consumers', 'resume', 'orders');
  expect(active).toMatchObject({ code: 0, stderr: 'It is active already; nothing is waiting\n' });
}, 400_000);

test('an entry of which no body can be made is listed as parked with the reason, and nothing says that it was sent', async () => {
  await using receiver = await openReceiver();
  const body = { mode: 'map', expression: '{"n": event.data.n}' };
  const { id } = await cluster.consumer(receiver.url, { name: 'shaped', body, start: 'end' });
  expect((await cli('send', '--id', 'cus_7', '--data', '{"m":1}')).code).toBe(0);
  await until(async () => (await cluster.get(id)).parked === 1, { timeoutMs: 60_000 });
  const parked = await cli('parked', 'shaped');
  expect(parked).toMatchObject({ code: 0, stderr: '' });
  expect(parked.stdout).toMatch(
    /^ +\d+ +created +sample:customer +cus_7 +\d+ +\S+Z +BODY_FAILED: .*There is no field "n"/mu,
  );
  const traced = await cli('attempts', 'shaped', '--failed', '--trace', '--limit', '1');
  expect(traced.stdout).toContain(
    `Nothing was sent, as no body could be made of it. Why, while it is parked: millrace parked ${id}`,
  );
  expect((await cli('status')).stdout).toMatch(
    /^fail {2}Parked: 1 entry failed by itself and is retried beside the others: shaped\n {6}millrace parked /mu,
  );
  expect((await cli('consumers', 'get', 'shaped')).stdout).toContain(
    'of the newest no body can be made: There is no field "n"',
  );
  expect((await cli('consumers', 'delete', 'shaped', '--yes')).code).toBe(0);
}, 400_000);

test('retry of a consumer that is stopped or paused says why, and names the command that continues it', async () => {
  await using receiver = await openReceiver((_, response) => void response.writeHead(410).end());
  const { id } = await cluster.consumer(receiver.url, { name: 'gone' });
  expect((await cli('send')).code).toBe(0);
  await until(async () => (await cluster.get(id)).status === 'stopped', { timeoutMs: 60_000 });
  const stopped = await cli('retry', 'gone');
  expect(stopped).toMatchObject({ code: 5, stdout: '' });
  expect(stopped.stderr.split('\n')).toEqual([
    'Consumer "gone" is stopped: the endpoint answered 410 Gone. It sends nothing until it is resumed',
    `  Continue where it stopped: millrace consumers resume ${id}`,
    `  See ${cluster.api.MILLRACE_URL}/docs/errors#wrong_status`,
    '',
  ]);
  const status = await cli('status');
  expect(status.stdout).toMatch(
    /^fail {2}Stopped: 1 consumer sends nothing until it is resumed\n {6}gone \(target .+\): the endpoint answered 410 Gone(?:, failing since 2\S+Z)?\n/mu,
  );
  expect((await cli('consumers', 'delete', 'gone')).code).toBe(0);

  const other = await cluster.consumer('http://127.0.0.1:9/', { name: 'held' });
  expect((await cli('consumers', 'pause', 'held')).code).toBe(0);
  const paused = await cli('retry', 'held');
  expect(paused.code).toBe(5);
  expect(paused.stderr).toContain('Consumer "held" is paused by the admin key. It sends nothing');
  expect(paused.stderr).toContain(`millrace consumers resume ${other.id}`);
  expect((await cli('consumers', 'delete', 'held')).code).toBe(0);
}, 240_000);

test('a command that deletes asks on a terminal, and proceeds without a question with --yes or in a script', async () => {
  const { id } = await cluster.consumer('http://127.0.0.1:9/', { name: 'doomed' });
  const asked = await onTerminal(['consumers', 'delete', 'doomed'], 'n\n');
  expect(asked.output).toContain(`Delete consumer "doomed" (${id})`);
  expect(asked.output).toContain('Nothing was changed');
  expect(asked.code).toBe(1);
  const left = await onTerminal(['consumers', 'delete', 'doomed'], '\u0004');
  expect(left).toMatchObject({ code: 1, output: expect.stringContaining('Nothing was changed') });
  expect((await cluster.get(id)).name).toBe('doomed');
  const yes = await onTerminal(['consumers', 'delete', 'doomed'], 'y\n');
  expect(yes).toMatchObject({ code: 0, output: expect.stringContaining('Deleted consumer') });

  const again = await cluster.consumer('http://127.0.0.1:9/', { name: 'doomed' });
  const unasked = await onTerminal(['consumers', 'delete', again.id, '--yes'], '');
  expect(unasked.output).not.toContain('[y/N]');
  expect(unasked.code).toBe(0);
}, 240_000);

test('console prints a link that signs in once, and opens it in the browser', async () => {
  const browser = join(folder, 'browser.sh');
  const opened = join(folder, 'opened');
  await writeFile(
    browser,
    `#!/bin/sh\nprintf %s "$1" > '${opened}.part' && mv '${opened}.part' '${opened}'\n`,
  );
  await chmod(browser, 0o755);
  const { code, stdout } = await runCli(['console'], { ...cluster.api, BROWSER: browser });
  expect(code).toBe(0);
  const link = stdout.trim();
  expect(await until(() => readFile(opened, 'utf8').catch(() => null))).toBe(link);
  const token = new URL(link).hash.slice('#token='.length);
  const signIn = (): Promise<Response> =>
    fetch(`${cluster.api.MILLRACE_URL}/v1/session`, {
      method: 'POST',
      headers: { 'content-type': 'application/json', origin: cluster.api.MILLRACE_URL },
      body: JSON.stringify({ token }),
    });
  expect((await signIn()).status).toBe(200);
  expect((await signIn()).status).toBe(401);
  const json = await cli('console', '--json', '--no-open');
  expect(JSON.parse(json.stdout)).toMatchObject({ url: expect.stringContaining('/signin#token=') });
});

/** Runs the CLI on a terminal (`script` of util-linux) where `input` is typed once it asks, or ends. */
async function onTerminal(
  args: string[],
  input: string,
): Promise<{ code: number | null; output: string }> {
  const line = [process.execPath, CLI, ...args].map((one) => `'${one}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], {
    env: { PATH: process.env['PATH'], TERM: 'dumb', SHELL: '/bin/sh', ...cluster.api },
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  let output = '';
  child.stdout.on('data', (chunk: Buffer) => {
    output += chunk.toString();
    if (input !== '' && output.includes('[y/N]') && child.stdin.writable) child.stdin.end(input);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, output };
}
