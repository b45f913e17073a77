import { execFile } from 'node:child_process';
import { readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { promisify } from 'node:util';

import { Client } from 'pg';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import { userCacheDir } from '../../src/embedded/cache.ts';
import { commandLine } from '../../src/embedded/processes.ts';
import { choosePort } from '../../src/embedded/state.ts';
import { killHard, runAside } from '../support/aside.ts';
import { runCli } from '../support/cli.ts';
import { createDatabase } from '../support/database.ts';
import { openDevRuns, readyRun, ROOT, stopRun, type DevRuns } from '../support/devRuns.ts';
import { until } from '../support/poll.ts';
import { watchSlowness } from '../support/slowness.ts';

const execute = promisify(execFile);
const STOP_MS = 20_000;
/** A drain may take 17 s. */
const HURRIED_MS = 12_000;

// A test starts everything up to twice, on a machine that may be busy.
vi.setConfig({ testTimeout: 240_000, hookTimeout: 120_000 });

/** What no start in an empty folder logs or prints: warnings of ours and of Node, errors, and traces of stacks. */
const COMPLAINT = /"level":"(?:warn|error|fatal)"|Warning|[Ee]rror in|"stack":|^\s+at /mu;

let runs: DevRuns;
let dataDir: string;
let port: number;

beforeEach(async () => {
  runs = await openDevRuns();
  ({ dataDir, port } = runs);
});
afterEach(() => runs[Symbol.asyncDispose]());

test('npm start works where proxies are set that do not answer, because local addresses do not go through a proxy', async () => {
  const names = ['http_proxy', 'https_proxy', 'all_proxy', 'grpc_proxy'];
  const proxy = `http://127.0.0.1:${await choosePort(undefined)}`; // nothing listens there
  const set = names.flatMap((name) => [name, name.toUpperCase()]).map((name) => [name, proxy]);
  const run = runs.start(
    { ...Object.fromEntries(set), NODE_USE_ENV_PROXY: '1', no_grpc_proxy: 'none' },
    ['npm', 'start', '--silent'],
  );
  await readyRun(run);
  expect(run.stdout()).toBe(`Millrace ready at http://127.0.0.1:${port}\n`);
  expect(await runs.isReady()).toBe(true);
  expect(run.stderr()).not.toContain('does not exist'); // as before the migrations are in
  const key = await runs.key();
  const ask = (method: string, path: string, body?: object) =>
    fetch(`http://127.0.0.1:${port}${path}`, {
      method,
      headers: { authorization: `Bearer ${key}`, 'content-type': 'application/json' },
      ...(body !== undefined && { body: JSON.stringify(body) }),
    }).then(async (response) => (await response.json()) as { id: string; status: string });
  const url = /^ {2}Receiver +(\S+)/mu.exec(run.stderr())?.[1];
  const { id: target_id } = await ask('POST', '/v1/targets', { name: 'here', base_url: url });
  const { id } = await ask('POST', '/v1/consumers', { name: 'c', target_id, stream: 'events' });
  expect((await ask('POST', `/v1/consumers/${id}/pause`)).status).toBe('paused'); // by Temporal and the worker
});

test('npm start in an empty folder says in sentences what it starts, and in one line that it is ready, without a warning, and Ctrl-C to the whole process group ends it with exit code 0', async () => {
  const run = runs.start({ NODE_COMPILE_CACHE: undefined }, ['npm', 'start', '--silent']);
  const pids = await readyRun(run);
  const variables = (await readFile(`/proc/${pids['API']}/environ`, 'utf8')).split('\0');
  expect(variables).toContain(`NODE_COMPILE_CACHE=${join(userCacheDir(), 'compiled')}`);
  expect(run.stdout()).toBe(`Millrace ready at http://127.0.0.1:${port}\n`);
  expect(await runs.isReady()).toBe(true);
  expect(Object.keys(pids).sort()).toEqual(['API', 'Postgres', 'Temporal', 'worker']);
  const key = await runs.key();
  expect(run.stderr()).toContain(key);
  const link = /^ {2}Sign in +(\S+)/mu.exec(run.stderr())?.[1];
  const [page, token] = link?.split('#token=') ?? [];
  expect(page).toBe(`http://127.0.0.1:${port}/signin`);
  const signedIn = await fetch(`http://127.0.0.1:${port}/v1/session`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: JSON.stringify({ token }),
  });
  expect(signedIn.status).toBe(200);
  const logFile = join(dataDir, 'millrace.log');
  expect(run.stderr()).toContain(`  Log           ${logFile}  `);
  const steps = [
    `Starting everything; its data is in ${dataDir}`,
    'Postgres is running',
    'Temporal is running',
    'Bringing the tables up to date, and starting the API and the worker',
    'The tables are up to date; the API and the worker are running',
  ];
  const lines = run.stderr().split('\n');
  expect(lines.filter((line) => steps.includes(line))).toEqual(steps);
  expect(lines.filter((line) => line.startsWith('{'))).toEqual([]);
  expect(run.stderr()).not.toMatch(COMPLAINT);
  const log = await readFile(logFile, 'utf8');
  expect(log).toContain('"msg":"migrations applied"');
  expect(log).not.toMatch(COMPLAINT);

  using slow = watchSlowness(() => execute('true'));
  const asked = performance.now();
  process.kill(-run.child.pid!, 'SIGINT');
  expect(await run.exit).toBe(0);
  expect(performance.now() - asked - slow.ms()).toBeLessThan(STOP_MS);
  expect(run.stderr()).toContain('Stopped; the data stays');
  for (const pid of Object.values(pids)) expect(commandLine(pid)).toBeNull();
});

test('a second Ctrl-C does not wait for a drain', async () => {
  const entry = join(dataDir, 'stuck.ts');
  await writeFile(
    entry,
    `import { createServer } from 'node:http';
     process.on('SIGTERM', () => { // as a drain that takes long
       console.error('I stay');
       setTimeout(() => console.error('I stayed'), ${HURRIED_MS});
     });
     const server = createServer((_, response) => response.end('ready'));
     server.listen(Number(process.env.MILLRACE_PORT), '127.0.0.1');`,
  );
  const idle = join(dataDir, 'idle.ts');
  await writeFile(
    idle,
    `process.on('SIGTERM', () => undefined); setInterval(() => undefined, 1000);`,
  );
  const supervisor = join(dataDir, 'supervisor.ts');
  await writeFile(
    supervisor,
    `import { runDev } from '${new URL('../../src/cli/dev.ts', import.meta.url).href}';
     const [server, worker] = ['${pathToFileURL(entry).href}', '${pathToFileURL(idle).href}'];
     const entries = { server: new URL(server), worker: new URL(worker) };
     process.exitCode = await runDev({ env: process.env, entries });`,
  );
  const run = runs.start({}, [process.execPath, supervisor]);
  await readyRun(run);
  run.child.kill('SIGINT');
  await until(() => run.stderr().includes('I stay'));
  const asked = performance.now();
  await until(() => performance.now() - asked > 600); // what comes sooner is npm's echo of the first
  run.child.kill('SIGINT');
  expect(await run.exit).toBe(0);
  expect(run.stderr()).not.toContain('I stayed');
});

test('after a kill -9 of npm start its processes finish what is in flight and end, and the next npm start continues with the same servers', async () => {
  const first = runs.start();
  const before = await readyRun(first);
  const key = await runs.key();
  await killHard(first.child);
  const second = runs.start();
  const after = await readyRun(second);
  expect(second.stderr()).toContain(key);
  expect([after['Postgres'], after['Temporal']]).toEqual([before['Postgres'], before['Temporal']]);
  await until(
    () => commandLine(before['API']!) === null && commandLine(before['worker']!) === null,
  );
});

test('the CLI finds the API that runs on its data folder, whatever its port, and says so if it was killed', async () => {
  const here = { MILLRACE_DATA_DIR: dataDir };
  const run = runs.start({ MILLRACE_PORT: '0' });
  await readyRun(run);
  const url = run.stdout().trim().replace('Millrace ready at ', '');
  expect(url).not.toContain(':4600');
  expect(await runCli(['targets', 'list', '--json'], here)).toMatchObject({ code: 0 });
  const otherPort = { ...here, MILLRACE_PORT: String(port) }; // what runs is known better
  expect(await runCli(['targets', 'list', '--json'], otherPort)).toMatchObject({ code: 0 });
  const well = await runCli(['doctor'], here);
  expect(well.stdout).toContain(`API: ready at ${url}`);
  const named = await runCli(['targets', 'list'], { ...here, MILLRACE_URL: 'http://127.0.0.1:9' });
  expect(named).toMatchObject({ code: 69, stderr: expect.stringContaining('http://127.0.0.1:9 ') });

  await killHard(run.child);
  const gone = `Millrace does not run on ${dataDir} any more: its process ${run.child.pid}, which answered at ${url}, has ended without stopping`;
  const killed = await runCli(['targets', 'list'], here);
  expect(killed).toMatchObject({ code: 69, stderr: expect.stringContaining(gone) });
  expect((await runCli(['doctor'], here)).stdout).toContain(`warn  API: ${gone}`);

  const next = runs.start();
  await readyRun(next);
  await stopRun(next);
  const stopped = await runCli(['targets', 'list'], otherPort);
  expect(stopped).toMatchObject({
    code: 69,
    stderr: expect.stringContaining(`Millrace does not answer at http://127.0.0.1:${port} `),
  });
});

test('a start that fails says why in plain words, and where the whole log is', async () => {
  await using database = await createDatabase();
  const client = new Client({ connectionString: database.url });
  await client.connect();
  await client.query(`insert into schema_migrations (name, sha256) values ('9999_later', 'x')`);
  await client.end();
  const run = runs.start({ DATABASE_URL: database.url });
  expect(await run.exit).toBe(1);
  expect(run.stdout()).toBe('');
  const lines = run.stderr().split('\n');
  expect(lines).toContain('Using the Postgres of DATABASE_URL');
  const why = 'the database has migration 9999_later, which this version of Millrace does not know';
  const reason = lines.findIndex(
    (line) => line.startsWith('Fatal error in the API: ') && line.includes(why),
  );
  const ended = lines.findIndex((line) => line.startsWith('The API process ended'));
  expect(reason).toBeGreaterThan(0);
  expect(ended).toBeGreaterThan(reason);
  expect(lines.filter((line) => line.startsWith('{'))).toEqual([]);
  const logFile = join(dataDir, 'millrace.log');
  expect(lines.at(-2)).toBe(
    `The API process does not stay up. The reason is printed above; the whole log is in ${logFile}.`,
  );
  expect(await readFile(logFile, 'utf8')).toContain('"stack":');
});

test('when its port is in use it says so, exits with 1 and leaves nothing running', async () => {
  const other = await runAside(
    dataDir,
    `import { createServer } from 'node:net';
     createServer().listen(${port}, '127.0.0.1', () => console.log('listening'));`,
  );
  try {
    const run = runs.start();
    expect(await run.exit).toBe(1);
    expect(run.stderr()).toBe(
      `Port ${port} on 127.0.0.1 is taken by another program: stop it, or set MILLRACE_PORT.\n`,
    );
  } finally {
    await killHard(other.child);
  }
});

test('an address that is not of this machine leads to one sentence and exit code 1', async () => {
  const run = runs.start({ MILLRACE_HOST: '192.0.2.1' });
  expect(await run.exit).toBe(1);
  expect(run.stderr()).toBe(
    `Millrace can't listen on port ${port} of 192.0.2.1 (EADDRNOTAVAIL): set MILLRACE_PORT to a port that you may use, and MILLRACE_HOST to an address of this machine.\n`,
  );
});

test('a wrong variable leads to one sentence and exit code 1, a wrong command to a suggestion and exit code 2', async () => {
  const wrong = runs.start({ MILLRACE_RETRY_WINDOW: 'a day' });
  expect(await wrong.exit).toBe(1);
  expect(wrong.stderr()).toBe(
    'MILLRACE_RETRY_WINDOW must be a duration such as 24h, 60s or 500ms, not "a day".\n',
  );
  const typo = runs.start({}, [process.execPath, join(ROOT, 'cli.ts'), 'dve']);
  expect(await typo.exit).toBe(2);
  expect(typo.stderr()).toContain('Did you mean dev?');
});

test('the installed command runs with the project’s own Node when the PATH has an older one', async () => {
  const old = join(ROOT, 'bin', 'millrace.cjs');
  const fake = `Object.defineProperty(process.versions, 'node', { value: '20.20.0' })`;
  const preload = `data:text/javascript,${encodeURIComponent(fake)}`;
  const run = runs.start({}, [process.execPath, '--import', preload, old, '--version']);
  expect(await run.exit).toBe(0);
  expect(run.stdout()).toMatch(/^\d+\.\d+\.\d+\n$/u);

  const alone = runs.start({ MILLRACE_REEXEC: '1' }, [process.execPath, '--import', preload, old]);
  expect(await alone.exit).toBe(69);
  expect(alone.stderr()).toMatch(
    /^millrace needs Node 24\.13 or newer, and this is 20\.20\.0: .+\n$/u,
  );
});
