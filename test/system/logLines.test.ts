import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { text } from 'node:stream/consumers';

import { expect, inject, test } from 'vitest';

import { createDatabase } from '../support/database.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { createProxy } from '../support/proxy.ts';

interface Line {
  level: string;
  time: string;
  msg: string;
  source?: string;
}

/** What was printed, each line of it a JSON object; throws for any other. */
function linesOf(printed: string): Line[] {
  return printed
    .split('\n')
    .filter(Boolean)
    .map((line) => JSON.parse(line) as Line);
}

test('a worker that loses Temporal prints only JSON lines with level, time and msg', async () => {
  await using database = await createDatabase();
  await using temporal = await createProxy(`tcp://${inject('temporalAddress')}`);
  const address = new URL(temporal.url).host;
  await using cluster = await openCluster(database.url, { TEMPORAL_ADDRESS: address });
  const worker = await cluster.startWorker();
  temporal.setAway(true);
  const said = () => linesOf(worker.stderr()).filter(({ source }) => source === 'temporal');
  await until(() => said().length > 3, { timeoutMs: 60_000 });
  await worker.stop();
  for (const line of linesOf(worker.stdout() + worker.stderr())) {
    expect(line).toMatchObject({
      level: expect.stringMatching(/^(?:info|warn|error)$/u) as string,
      time: expect.stringMatching(/^\d{4}-\d\d-\d\dT/u) as string,
      msg: expect.any(String) as string,
    });
  }
}, 180_000);

test('a worker that cannot reach Temporal exits with 1 and says so in a JSON line', async () => {
  await using database = await createDatabase();
  await using cluster = await openCluster(database.url, { TEMPORAL_ADDRESS: '127.0.0.1:1' });
  const { code, stdout, stderr } = await run(['worker.ts'], cluster.env);
  expect([code, stdout]).toEqual([1, '']);
  expect(linesOf(stderr).at(-1)?.level).toBe('fatal');
}, 120_000);

test('warnings of Node.js, console output of a library and the error that ends the process are JSON lines', async () => {
  const source = `
    import { createLog } from './src/process/log.ts';
    import { logStrayOutput } from './src/process/strayOutput.ts';
    logStrayOutput(createLog('info', { process: 'test' }));
    console.log('out %d', 1);
    console.error(new Error('printed'));
    process.emitWarning('old', 'DeprecationWarning');
    setTimeout(() => Promise.reject(new TypeError('not caught')), 50);
  `;
  const { code, stdout, stderr } = await run(['--input-type=module', '-e', source], {});
  expect([code, stdout]).toEqual([1, '']);
  expect(linesOf(stderr).map(({ level, msg }) => [level, msg.split('\n')[0]])).toEqual([
    ['info', 'out 1'],
    ['error', 'Error: printed'],
    ['warn', 'a warning of Node.js'],
    ['fatal', 'the process ends because of an uncaught error'],
  ]);
});

test('a log that cannot be written, as on a full disk, does not end the process', async () => {
  const source = `
    import { createLog } from './src/process/log.ts';
    const log = createLog('info');
    for (let line = 0; line < 1_000; line += 1) log.warn('x'.repeat(5_000));
    process.stdout.write('it goes on');`;
  const node = ['--input-type=module', '-e', source];
  const full = ['-c', 'exec "$0" "$@" 2>/dev/full', process.execPath, ...node];
  expect(await run(full, {}, '/bin/sh')).toEqual({ code: 0, stdout: 'it goes on', stderr: '' });
});

/** Runs Node, or another program, in the project's folder until it ends. */
async function run(args: string[], env: Record<string, string>, program = process.execPath) {
  const child = spawn(program, args, {
    cwd: new URL('../..', import.meta.url),
    env,
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const ended = once(child, 'exit');
  const [stdout, stderr] = await Promise.all([text(child.stdout), text(child.stderr)]);
  const [code] = (await ended) as [number | null];
  return { code, stdout, stderr };
}
