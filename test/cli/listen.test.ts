import { mkdir, mkdtemp, readFile, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { Webhook } from 'standardwebhooks';
import { afterAll, afterEach, beforeAll, expect, test, vi } from 'vitest';

import type { NewApiKey } from '../../src/schema/apiKey.ts';
import { startCli, type RunningCli } from '../support/cli.ts';
import { createDatabase, type TestDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Cluster, type Running } from '../support/processes.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';

let database: TestDatabase;
let cluster: Cluster;
let server: Running;
let home: string;
let clis: RunningCli[] = [];

// A test starts several processes, on a machine that may be busy.
vi.setConfig({ testTimeout: 180_000, hookTimeout: 120_000 });

beforeAll(async () => {
  database = await createDatabase();
  cluster = await openCluster(database.url);
  server = await cluster.startServer();
  home = await mkdtemp(join(tmpdir(), 'millrace-listen-'));
});
afterAll(async () => {
  await cluster[Symbol.asyncDispose]();
  await database[Symbol.asyncDispose]();
  await rm(home, { recursive: true });
});

/** Of a test that has failed. */
afterEach(async () => {
  for (const { child, ended } of clis.splice(0)) {
    child.kill('SIGKILL');
    await ended;
  }
});

function start(args: string[]): RunningCli {
  const cli = startCli(args, { ...cluster.api, XDG_CONFIG_HOME: home });
  clis.push(cli);
  return cli;
}

async function listen(...args: string[]): Promise<RunningCli> {
  const cli = start(['listen', ...args]);
  await until(
    () => {
      if (!cli.stderr().includes('Ready.')) throw new Error(cli.stderr());
      return true;
    },
    { timeoutMs: 60_000, what: 'it listens' },
  );
  return cli;
}

/** `padding` characters make a stream larger than the buffers of sockets. */
async function append(sync: string, from: number, to: number, padding = 0): Promise<void> {
  const events = Array.from({ length: to - from }, (_, index) => ({
    sync_id: sync,
    collection_id: 'stripe:customer',
    upstream_id: `cus_${(from + index) % 50}`,
    event: 'updated',
    event_id: `${sync}-${from + index}`,
    data: { n: from + index, padding: 'x'.repeat(padding) },
  }));
  await cluster.request('POST', '/v1/events', { events });
}

async function interrupt(cli: RunningCli): Promise<string> {
  cli.child.kill('SIGINT');
  const { code, stderr } = await cli.ended;
  expect(code).toBe(130);
  return stderr;
}

test('each entry is forwarded, signed with a secret that stays the same, and printed with its answer', async () => {
  await using receiver = await openReceiver();
  const cli = await listen('--forward-to', receiver.url, '--sync', 'plain');
  const secret = /whsec_\S+/u.exec(cli.stderr())?.[0] ?? '';
  await append('plain', 0, 2);
  await until(() => cli.stdout().split('<--').length === 3);
  const lines = cli.stdout().trim().split('\n');
  expect(lines[0]).toBe('--> updated stripe:customer cus_0 [plain-0]');
  expect(lines[1]).toMatch(new RegExp(`^<-- \\[204\\] POST ${receiver.url} \\d+ms$`, 'u'));
  for (const { body, headers } of receiver.received) {
    const signed = headers as Record<string, string>;
    expect(new Webhook(secret).verify(body, signed)).toMatchObject({ event: { sync_id: 'plain' } });
  }
  await interrupt(cli);

  const kept = join(home, 'millrace', 'listen-secret');
  expect((await readFile(kept, 'utf8')).trim()).toBe(secret);
  expect((await stat(kept)).mode & 0o777).toBe(0o600);
  const again = await listen('--forward-to', receiver.url);
  expect(again.stderr()).toContain(secret);
  await interrupt(again);
});

test('a failing endpoint is reported and not retried: the next entry follows', async () => {
  await using receiver = await openReceiver(answer(500));
  const { url } = receiver;
  const cli = await listen('--forward-to', url, '--sync', 'failing', '--json');
  await append('failing', 0, 1);
  await until(() => cli.stdout().includes('"status":500'));
  await receiver[Symbol.asyncDispose]();
  await append('failing', 1, 2);
  await until(() => cli.stdout().includes('ECONNREFUSED'));
  const lines = cli.stdout().trim().split('\n');
  expect(lines.map((line) => (JSON.parse(line) as { message_id: string }).message_id)).toEqual([
    'failing-0',
    'failing-1',
  ]);
  await interrupt(cli);
});

test.each([
  ['in the order of the stream', '1'],
  ['in order per record, 16 records at once', '16'],
])(
  '10,000 events are forwarded once each, %s, while the API is stopped, killed and started again',
  async (_title, concurrency) => {
    const total = 10_000;
    const sync = `restart-${concurrency}`;
    await using receiver = await openReceiver(accept);
    for (let from = 0; from < total; from += 2_000) await append(sync, from, from + 2_000, 4_000);
    const flags = ['--sync', sync, '--since', 'beginning', '--concurrency', concurrency];
    const cli = await listen('--forward-to', receiver.url, ...flags);
    for (const [times, [share, end]] of (
      [
        [0.15, 'stop'],
        [0.4, 'killHard'],
        [0.65, 'killHard'],
      ] as const
    ).entries()) {
      await until(() => receiver.received.length > total * share, { timeoutMs: 60_000 });
      // What has come so far may have waited in buffers.
      await until(() => cli.stderr().split('Reconnected').length - 1 === times);
      await server[end]();
      expect(receiver.received.length).toBeLessThan(total);
      server = await cluster.startServer();
    }
    await until(() => receiver.received.length >= total, { timeoutMs: 120_000 });
    await append(sync, total, total + 1); // all that could come twice has come before it
    await until(() => receiver.received.some(({ id }) => id === `${sync}-${total}`));
    const stderr = await interrupt(cli);
    expect(stderr.split('Connection lost').length - 1).toBeGreaterThanOrEqual(3);

    const ids = receiver.received.map(({ id }) => Number(id.slice(sync.length + 1)));
    expect(ids).toHaveLength(total + 1);
    expect(new Set(ids).size).toBe(total + 1);
    const lanes = concurrency === '1' ? [ids] : perRecord(ids);
    for (const lane of lanes) expect(lane).toEqual(lane.toSorted((a, b) => a - b));
  },
  600_000,
);

function perRecord(ids: number[]): number[][] {
  return Array.from({ length: 50 }, (_, record) => ids.filter((id) => id % 50 === record));
}

test('another run continues from the cursor that was printed at the end', async () => {
  await using receiver = await openReceiver();
  const first = await listen('--forward-to', receiver.url, '--sync', 'again');
  await append('again', 0, 3);
  await until(() => receiver.received.length === 3);
  const cursor = /--since (\S+)/u.exec(await interrupt(first))?.[1] ?? '';
  await append('again', 3, 6);
  const second = await listen('--forward-to', receiver.url, '--sync', 'again', '--since', cursor);
  await until(() => receiver.received.length === 6);
  await interrupt(second);
  expect(receiver.received.map(({ id }) => id)).toEqual(
    [0, 1, 2, 3, 4, 5].map((index) => `again-${index}`),
  );
});

test('listen says that its key was revoked, and ends', async () => {
  await using receiver = await openReceiver();
  const { id, key } = await cluster.request<NewApiKey>('POST', '/v1/api-keys', {
    name: 'reader',
    scopes: ['read'],
  });
  const env = { ...cluster.api, XDG_CONFIG_HOME: home, MILLRACE_API_KEY: key };
  const cli = startCli(['listen', '--forward-to', receiver.url], env);
  clis.push(cli);
  await until(() => cli.stderr().includes('Ready.'), { timeoutMs: 60_000 });
  await cluster.request('DELETE', `/v1/api-keys/${id}`);
  const { code, stderr } = await cli.ended;
  expect(code).toBe(4);
  expect(stderr).toContain('This API key was revoked');
  expect(stderr).not.toContain('reconnecting');
});

test('tail prints entries as the API returns them, one per line', async () => {
  const cli = start(['tail', '--sync', 'tailed', '--since', 'beginning', '--json']);
  await cluster.request('POST', '/v1/events', {
    events: [
      {
        sync_id: 'tailed',
        collection_id: 'a:b',
        upstream_id: 'x',
        event: 'created',
        event_id: 'tailed-1',
        data: { n: 1, text: '\u009b31m\u202e' },
      },
    ],
  });
  await until(() => cli.stdout().includes('\n'), { timeoutMs: 60_000 });
  const event = await cluster.request('GET', '/v1/events/tailed-1');
  expect(JSON.parse(cli.stdout())).toEqual(event);
  expect(cli.stdout()).not.toMatch(/[\u007f-\u009f\u202e]/u);
  await interrupt(cli);
});

test('listen immediately reports what keeps it from starting', async () => {
  const away = { ...cluster.api, MILLRACE_URL: 'http://127.0.0.1:9' };
  const to = ['--forward-to', 'http://127.0.0.1:9/hook'];
  const run = async (args: string[], env: Record<string, string>): Promise<number | null> =>
    (await startCli(['listen', ...args], { ...env, XDG_CONFIG_HOME: home }).ended).code;
  expect(await run(to, away)).toBe(69);
  expect(await run(to, { ...cluster.api, MILLRACE_API_KEY: 'wrong-key-0123456789' })).toBe(4);
  expect(await run([], cluster.api)).toBe(2);
  expect(await run(['--forward-to', 'localhost:3000'], cluster.api)).toBe(2);
  expect(await run([...to, '--secret', 'abc'], cluster.api)).toBe(2);
});

test('a signing secret that cannot be stored, or is malformed, is reported with its file, and --secret works without the file', async () => {
  const to = ['listen', '--forward-to', 'http://127.0.0.1:9/hook'];
  const env = { ...cluster.api, MILLRACE_URL: 'http://127.0.0.1:9', XDG_CONFIG_HOME: '/dev/null' };
  const nowhere = await startCli(to, env).ended;
  expect(nowhere.stderr).toMatch(
    /can't be kept in \/dev\/null\/millrace\/listen-secret \(ENOTDIR\)/u,
  );
  expect(nowhere.code).toBe(2);
  const folder = join(home, 'broken');
  const path = join(folder, 'millrace', 'listen-secret');
  await mkdir(join(folder, 'millrace'), { recursive: true });
  await writeFile(path, 'whsec_\n');
  const broken = await startCli(to, { ...env, XDG_CONFIG_HOME: folder }).ended;
  expect(broken.stderr).toContain(`${path} holds no signing secret`);
  expect(broken.code).toBe(2);
  const given = await startCli([...to, '--secret', `whsec_${'A'.repeat(32)}`], env).ended;
  expect(given.code).toBe(69);
});
