import { spawn, type ChildProcess } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { createServer, connect, type AddressInfo, type Server } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { afterAll, beforeAll, expect, inject, test } from 'vitest';

import { COMPILE_CACHE } from '../support/compileCache.ts';
import { createDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';

const KEY = 'server-test-key-0123456789';
const ENTRY = fileURLToPath(new URL('../../server.ts', import.meta.url));
const SECRET = Buffer.alloc(32, 7).toString('base64');

let dataDir: string;
beforeAll(async () => {
  dataDir = await mkdtemp(join(tmpdir(), 'millrace-server-test-'));
});
afterAll(() => rm(dataDir, { recursive: true }));

interface Running extends AsyncDisposable {
  url: string;
  child: ChildProcess;
  stdout: () => string;
  stderr: () => string;
  /** Sends SIGTERM and answers with the exit code. */
  stop(): Promise<number | null>;
  get(path: string, key?: string): Promise<{ status: number; body: any }>; // oxlint-disable-line typescript/no-explicit-any -- answers of every shape
  post(path: string, body?: object): Promise<{ status: number; body: any; headers: Headers }>; // oxlint-disable-line typescript/no-explicit-any -- answers of every shape
}

async function start(env: Record<string, string>): Promise<Running> {
  const child = spawn(process.execPath, [ENTRY], {
    env: {
      ...COMPILE_CACHE,
      PATH: process.env['PATH'],
      MILLRACE_PORT: '0',
      MILLRACE_DATA_DIR: dataDir,
      MILLRACE_API_KEY: KEY,
      MILLRACE_ENCRYPTION_KEYS: `k1:${SECRET}`,
      ...env,
    },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.on('data', (chunk) => (stdout += String(chunk)));
  child.stderr.on('data', (chunk) => (stderr += String(chunk)));
  const exited = once(child, 'close').then(([code]) => code as number | null); // all is read
  const port = await until(
    () => (child.exitCode === null ? /"port":(\d+)/u.exec(stderr)?.[1] : 'none'),
    { what: 'the server listens', timeoutMs: 60_000 },
  );
  if (port === 'none') throw new Error(`exit ${await exited}: ${stderr}`);
  const url = `http://127.0.0.1:${port}`;

  async function request(path: string, init: RequestInit) {
    const response = await fetch(`${url}${path}`, init);
    return { status: response.status, headers: response.headers, body: await response.json() };
  }
  const headers = (key: string) => ({
    authorization: `Bearer ${key}`,
    'content-type': 'application/json',
  });
  function stop(): Promise<number | null> {
    child.kill('SIGTERM');
    return exited;
  }
  return {
    url,
    child,
    stdout: () => stdout,
    stderr: () => stderr,
    stop,
    get: (path, key = KEY) => request(path, { headers: headers(key) }),
    post: (path, body = {}) =>
      request(path, { method: 'POST', headers: headers(KEY), body: JSON.stringify(body) }),
    [Symbol.asyncDispose]: async () => {
      if (child.exitCode === null) child.kill('SIGKILL');
      await exited;
    },
  };
}

async function closedPort(): Promise<number> {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

test('the server is ready once Postgres is migrated and Temporal answers, and prints nothing on stdout', async () => {
  await using database = await createDatabase();
  await using server = await start({
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
  });
  await until(async () => (await server.get('/readyz')).status === 200);
  expect((await server.get('/v1/info')).body).toMatchObject({
    region: 'us-west-2',
    retry_window: '24h',
    retention: { events: '30d', attempts: '7d' },
    temporal: { address: inject('temporalAddress'), namespace: 'default', ui_url: null },
    dev_receiver_url: null,
    dev_outbox: false,
  });
  expect((await server.get('/v1/info', 'wrong')).status).toBe(401);
  expect(await server.stop()).toBe(0);
  expect(server.stdout()).toBe('');
  expect(server.stderr()).not.toContain(KEY);
  expect(server.stderr()).not.toContain(SECRET);
});

test('under npm start the server is not ready before a worker polls', async () => {
  await using database = await createDatabase();
  await using server = await start({
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MILLRACE_SUPERVISED: '1',
    MILLRACE_TASK_QUEUE: 'nobody-polls-this',
  });
  const answer = await until(async () => {
    const { body } = await server.get('/readyz');
    return body.missing?.length === 1 && body;
  });
  expect(answer.missing).toEqual(['worker']);
});

test('on SIGTERM the server answers a waiting long poll and exits with 0 in less than 10 s', async () => {
  await using database = await createDatabase();
  await using server = await start({
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
  });
  await until(async () => (await server.get('/readyz')).status === 200);
  const waiting = server.get('/v1/events?after_cursor=end&wait_for=30000');
  // It waits in the server once another request, sent after it, has been answered.
  await server.get('/v1/targets');
  const began = performance.now();
  const [code, answer] = await Promise.all([server.stop(), waiting]);
  expect(code).toBe(0);
  expect(answer).toMatchObject({ status: 200, body: { events: [] } });
  expect(performance.now() - began).toBeLessThan(10_000);
});

test(
  'while Temporal is away the server stays up: creating and reading work, commands are 503',
  { timeout: 120_000 },
  async () => {
    await using database = await createDatabase();
    await using server = await start({
      DATABASE_URL: database.url,
      TEMPORAL_ADDRESS: `127.0.0.1:${await closedPort()}`,
    });
    const notReady = await until(async () => {
      const { status, body } = await server.get('/readyz');
      return status === 503 && body.missing.join() === 'temporal' && body;
    });
    expect(notReady.code).toBe('not_ready');
    const target = await server.post('/v1/targets', { name: 't', base_url: 'https://example.com' });
    const made = await server.post('/v1/consumers', {
      name: 'c',
      target_id: target.body.id,
      stream: 'events',
    });
    expect(made.status).toBe(201);
    expect((await server.get(`/v1/consumers/${made.body.id}`)).body.name).toBe('c');
    const paused = await server.post(`/v1/consumers/${made.body.id}/pause`);
    expect([paused.status, paused.body.code]).toEqual([503, 'temporal_unavailable']);
    expect(paused.headers.get('retry-after')).not.toBeNull();
    expect(await server.stop()).toBe(0);
  },
);

test('while Postgres is away the server starts, says so, and serves as soon as Postgres is there', async () => {
  await using database = await createDatabase();
  const real = new URL(database.url);
  const url = new URL(database.url);
  url.port = String(await closedPort());
  await using server = await start({
    DATABASE_URL: url.href,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
  });
  expect((await server.get('/healthz')).status).toBe(200);
  await until(async () => (await server.get('/readyz')).body.missing?.join() === 'database');
  expect(await server.get('/v1/targets')).toMatchObject({
    status: 503,
    body: { code: 'database_unavailable' },
  });
  const forward = await forwardTo(real, Number(url.port));
  await until(async () => (await server.get('/readyz')).status === 200);
  expect((await server.get('/v1/targets')).status).toBe(200);
  expect(await server.stop()).toBe(0);
  forward.close();
});

async function forwardTo(to: URL, port: number): Promise<Server> {
  const forward = createServer((socket) => {
    const upstream = connect(Number(to.port), to.hostname);
    socket.pipe(upstream).pipe(socket);
    socket.on('error', () => upstream.destroy());
    upstream.on('error', () => socket.destroy());
  });
  forward.listen(port, '127.0.0.1');
  await once(forward, 'listening');
  return forward;
}

test('without a configured API key the server makes one and keeps it in the data folder, readable by its owner alone', async () => {
  await using database = await createDatabase();
  await using server = await start({
    DATABASE_URL: database.url,
    TEMPORAL_ADDRESS: inject('temporalAddress'),
    MILLRACE_API_KEY: '',
  });
  const file = join(dataDir, 'api-key');
  const key = (await readFile(file, 'utf8')).trim();
  expect((await stat(file)).mode & 0o777).toBe(0o600);
  await until(async () => (await server.get('/v1/targets', key)).status === 200);
  expect(await server.stop()).toBe(0);
});

test('a wrong variable or a port that is in use ends the server with one sentence', async () => {
  await using database = await createDatabase();
  const env = { DATABASE_URL: database.url, TEMPORAL_ADDRESS: inject('temporalAddress') };
  await expect(start({ ...env, MILLRACE_PORT: 'x' })).rejects.toThrow(
    /^exit 1: MILLRACE_PORT must be a port from 0 to 65535, not "x"\.\n$/u,
  );
  const taken = createServer().listen(0, '127.0.0.1');
  await once(taken, 'listening');
  const { port } = taken.address() as AddressInfo;
  await expect(start({ ...env, MILLRACE_PORT: String(port) })).rejects.toThrow(
    /^exit 1: MILLRACE_HOST and MILLRACE_PORT must [^\n]*\n$/u,
  );
  taken.close();
});
