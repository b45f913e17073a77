import { spawn } from 'node:child_process';
import { mkdir, mkdtemp, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { createInterface } from 'node:readline';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { developmentKeys } from '../../src/embedded/keys.ts';
import { DataDirInUse, lockDataDir, successorOf } from '../../src/embedded/lock.ts';
import { identityOf } from '../../src/embedded/processes.ts';
import { choosePort } from '../../src/embedded/state.ts';
import { killHard, runAside } from '../support/aside.ts';
import { until } from '../support/poll.ts';

const LOCK = new URL('../../src/embedded/lock.ts', import.meta.url).href;

let folder: string;

beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-embedded-'));
});
afterEach(() => rm(folder, { recursive: true, force: true }));

test('the data folder belongs to one process: a second one gets an error that names the folder and the first process', async () => {
  const aside = await runAside(
    folder,
    `
    import { lockDataDir } from '@src/embedded/lock.ts';
    await lockDataDir(${JSON.stringify(folder)}, 'http://127.0.0.1:4600');
    console.log(process.pid);
    setInterval(() => {}, 1000);`,
  );
  try {
    const second = lockDataDir(folder, 'http://127.0.0.1:4601');
    await expect(second).rejects.toThrow(DataDirInUse);
    await expect(second).rejects.toThrow(`process ${aside.line}, http://127.0.0.1:4600`);
  } finally {
    await killHard(aside.child);
  }
  await using after = await lockDataDir(folder, 'http://127.0.0.1:4601');
  expect(after.takenOver).toBe(true);
});

test('the data folder is free again after a clean end, and after a crash even if another process has the pid by then', async () => {
  const first = await lockDataDir(folder, 'a');
  expect(first.takenOver).toBe(false);
  await first.release();
  await writeFile(
    join(folder, 'lock.json'),
    JSON.stringify({ pid: process.ppid, identity: `0 ${identityOf(process.ppid)}`, address: 'b' }),
  );
  const second = await lockDataDir(folder, 'c');
  expect(second.takenOver).toBe(true);
  await second.release();
  expect(await readdir(folder)).toEqual([]);
});

const STALE = '{"pid":2147483646,"identity":"x","address":"gone"}';

test('when many processes find a stale lock at the same time, one of them gets it', async () => {
  const script = `
    import { createInterface } from 'node:readline';
    const { lockDataDir } = await import(${JSON.stringify(LOCK)});
    console.log('ready');
    for await (const dir of createInterface({ input: process.stdin })) {
      await lockDataDir(dir, 'me').then(() => console.log('got it'), (error) => console.log(error.name));
    }`;
  const contenders = Array.from({ length: 5 }, () => {
    const child = spawn(process.execPath, ['--input-type=module', '-e', script], {
      stdio: ['pipe', 'pipe', 'inherit'],
    });
    return { child, lines: createInterface({ input: child.stdout })[Symbol.asyncIterator]() };
  });
  const answers = () =>
    Promise.all(contenders.map(async ({ lines }) => String((await lines.next()).value)));
  try {
    expect(new Set(await answers())).toEqual(new Set(['ready']));
    for (let round = 0; round < 100; round++) {
      const dir = join(folder, String(round));
      await mkdir(dir);
      await writeFile(join(dir, 'lock.json'), STALE);
      // Every other time whoever came first was killed before it had put its own in place.
      if (round % 2 === 1) await writeFile(successorOf(join(dir, 'lock.json'), STALE), STALE + ' ');
      for (const { child } of contenders) child.stdin.write(`${dir}\n`);
      const got = (await answers()).sort();
      expect(got).toEqual([...Array<string>(4).fill('DataDirInUse'), 'got it']);
      expect(await readdir(dir)).toEqual(['lock.json']);
    }
  } finally {
    for (const { child } of contenders) child.kill('SIGKILL');
  }
});

test('the data folder keeps the generated keys, readable by its owner alone', async () => {
  const keys = await developmentKeys(folder);
  expect(keys.apiKey).toMatch(/^mk_[\w-]{43}$/u);
  expect(Buffer.from(keys.encryptionKeys.replace(/^dev:/u, ''), 'base64')).toHaveLength(32);
  expect(await developmentKeys(folder)).toEqual(keys);
  for (const file of ['api-key', 'encryption-keys']) {
    expect((await stat(join(folder, file))).mode & 0o777).toBe(0o600);
  }
});

test('a port that is in use is not chosen', async () => {
  const port = await choosePort(undefined);
  expect(await choosePort(port)).toBe(port);
  const other = await runAside(
    folder,
    `
    import { createServer } from 'node:net';
    createServer().listen(${port}, '127.0.0.1', () => console.log('listening'));`,
  );
  expect(await choosePort(port)).not.toBe(port);
  await killHard(other.child);
  expect(await until(async () => (await choosePort(port)) === port)).toBe(true);
});
