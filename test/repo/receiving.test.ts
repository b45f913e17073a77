import { execFile, spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { mkdir, mkdtemp, readFile, rm, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { promisify } from 'node:util';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { userCacheDir } from '../../src/embedded/cache.ts';
import { choosePort } from '../../src/embedded/state.ts';
import { pythonBin } from '../schemathesis/venv.ts';
import { until } from '../support/poll.ts';
import { openReceiver, type Received } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const PAGE = await readFile(join(ROOT, 'docs/receiving.md'), 'utf8');
const GO_MODULE = 'github.com/standard-webhooks/standard-webhooks/libraries@v0.0.1';

let folder: string;
let secret: string;
let delivery: Received;
let batch: Received;
let testWebhook: Received;

beforeAll(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-receiving-'));
  await using receiver = await openReceiver();
  await using world = await openWorld();
  const { body } = await world.api.request('POST', '/v1/targets', {
    name: 'r',
    base_url: receiver.url,
  });
  secret = body.signing_secret;
  await world.append.events(someEvents(2, { data: '{"name":"Ünïcode ✓","n":9007199254740993}' }));
  await world.consumer(body.id, { start: 'beginning' });
  await world.consumer(body.id, {
    start: 'beginning',
    batch: { max_entries: 2, max_bytes: 1_048_576, max_wait_ms: 200 },
  });
  const received = (start: string, what: string): Promise<Received> =>
    until(() => receiver.received.find((one) => one.body.startsWith(start)), { what });
  delivery = await until(
    () => receiver.received.find((one) => /^\{"event":.*"o-0"/u.test(one.body)),
    { what: 'a delivery' },
  );
  batch = await received('{"events":', 'a batch');
  await world.api.request('POST', `/v1/targets/${body.id}/test`);
  testWebhook = await received('{"test":', 'the test webhook');
});
afterAll(() => rm(folder, { recursive: true, force: true }));

/** The program after a fence such as "js node library". */
function snippet(fence: string): string {
  const start = PAGE.indexOf(`\`\`\`${fence}\n`);
  if (start < 0) throw new Error(`docs/receiving.md has no program "${fence}"`);
  const from = start + fence.length + 4;
  return PAGE.slice(from, PAGE.indexOf('```', from));
}

test.each([
  'js node library',
  'js node bare',
  'python library',
  'python bare',
  'go library',
  'go bare',
])(
  'the program "%s" of the page accepts a real delivery, a batch and a test webhook, and refuses one that was changed or is old',
  { timeout: 180_000 },
  async (fence) => {
    const port = await choosePort(undefined);
    await using program = await start(fence, snippet(fence).replace('3000', String(port)));
    const send = async (headers: Record<string, string>, body: string): Promise<number> => {
      const response = await fetch(`http://127.0.0.1:${port}/`, { method: 'POST', headers, body });
      return response.status;
    };
    const signed = signatureOf(delivery);
    await until(() => send({}, '{}').then((status) => status === 401), {
      timeoutMs: 60_000,
      what: `${fence} listens: ${program.output()}`,
    });
    expect(await send(signatureOf(testWebhook), testWebhook.body)).toBe(204);
    await until(() => program.output().includes(`${testWebhook.id} is a test webhook`), {
      timeoutMs: 60_000,
      what: () => `${fence} prints the test webhook: ${program.output()}`,
    });
    expect(await send(signed, delivery.body)).toBe(204);
    await until(() => program.output().includes(`${delivery.id} shop:order o-0`), {
      timeoutMs: 60_000,
    });
    expect(await send(signatureOf(batch), batch.body)).toBe(204);
    for (const name of ['o-0', 'o-1']) {
      await until(() => program.output().includes(`${batch.id} shop:order ${name}`), {
        timeoutMs: 60_000,
        what: () => `${fence} prints ${name} of the batch: ${program.output()}`,
      });
    }
    expect(await send(signed, delivery.body.replace('o-0', 'o-1'))).toBe(401);
    expect(await send({ ...signed, 'webhook-id': 'other' }, delivery.body)).toBe(401);
    const old = String(Number(signed['webhook-timestamp']) - 3_600);
    expect(await send({ ...signed, 'webhook-timestamp': old }, delivery.body)).toBe(401);
    const two = `v1,${Buffer.alloc(32).toString('base64')} ${signed['webhook-signature']}`;
    expect(await send({ ...signed, 'webhook-signature': two }, delivery.body)).toBe(204);
  },
);

function signatureOf({ headers }: Received): Record<string, string> {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}

interface Program extends AsyncDisposable {
  output(): string;
}

async function start(fence: string, source: string): Promise<Program> {
  const [command = '', ...args] = await prepare(fence, source);
  const child = spawn(command, args, {
    env: { ...process.env, SIGNING_SECRET: secret },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let output = '';
  for (const stream of [child.stdout, child.stderr]) {
    stream.on('data', (chunk: Buffer) => (output += chunk.toString()));
  }
  const exited = once(child, 'exit');
  return {
    output: () => output,
    [Symbol.asyncDispose]: async () => {
      child.kill('SIGKILL');
      await exited;
    },
  };
}

/** Writes the program and what it needs, and says how it is run. */
async function prepare(fence: string, source: string): Promise<string[]> {
  const own = await mkdtemp(join(folder, 'program-'));
  if (fence.startsWith('js')) {
    await writeFile(join(own, 'receiver.mjs'), source);
    await symlink(join(ROOT, 'node_modules'), join(own, 'node_modules'));
    return [process.execPath, join(own, 'receiver.mjs')];
  }
  if (fence.startsWith('python')) {
    await writeFile(join(own, 'receiver.py'), source);
    return [join(pythonBin(['standardwebhooks==1.1.0']), 'python'), join(own, 'receiver.py')];
  }
  const module = await goModule();
  const main = join(module, `${fence.replaceAll(' ', '-')}-${process.pid}.go`);
  const binary = join(own, 'receiver');
  try {
    await writeFile(main, source);
    await go(module, 'build', '-o', binary, main);
  } finally {
    await rm(main, { force: true });
  }
  return [binary];
}

/** A module with the library in its go.mod, in the user's cache. */
async function goModule(): Promise<string> {
  const module = join(userCacheDir(), 'go-receiving');
  await mkdir(module, { recursive: true });
  if (!existsSync(join(module, 'go.mod'))) await go(module, 'mod', 'init', 'receiver');
  await go(module, 'get', GO_MODULE);
  return module;
}

async function go(cwd: string, ...args: string[]): Promise<void> {
  try {
    await promisify(execFile)('go', args, { cwd });
  } catch (cause) {
    const { code, stderr } = cause as { code?: unknown; stderr?: string };
    if (code === 'ENOENT') throw new Error('go is missing: install Go 1.22 or newer', { cause });
    throw new Error(`go ${args.join(' ')}: ${stderr}`, { cause });
  }
}
