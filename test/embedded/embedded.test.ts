import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdir, readFile, readdir, rm, stat, writeFile } from 'node:fs/promises';
import { createServer, type Server } from 'node:net';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { Connection } from '@temporalio/client';
import { Client } from 'pg';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';

import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { commandLine } from '../../src/embedded/processes.ts';
import { startTemporal } from '../../src/embedded/temporal.ts';
import { SEARCH_ATTRIBUTES } from '../../src/process/searchAttributeNames.ts';
import { killHard, runAside } from '../support/aside.ts';
import { makeDataFolder } from '../support/dataFolder.ts';

let folder: string;
let dataDir: string;
let said: string[];
const say = (line: string): void => void said.push(line);

beforeEach(async () => {
  said = [];
  folder = await makeDataFolder('millrace-embedded-');
  dataDir = join(folder, 'data');
});
afterEach(() => rm(folder, { recursive: true, force: true }));

async function query(url: string, text: string): Promise<Record<string, unknown>[]> {
  const client = new Client({ connectionString: url });
  await client.connect();
  try {
    return (await client.query(text)).rows as Record<string, unknown>[];
  } finally {
    await client.end();
  }
}

async function holdPort(port: number): Promise<Server> {
  const server = createServer();
  for (;;) {
    try {
      await once(server.listen({ port, host: '127.0.0.1', exclusive: true }), 'listening');
      return server;
    } catch (error) {
      if ((error as NodeJS.ErrnoException).code !== 'EADDRINUSE') throw error;
      await wait(5); // its children hold it
    }
  }
}

describe('the embedded Postgres', () => {
  test('writes durably: fsync, full_page_writes and synchronous_commit are on', async () => {
    const postgres = await startPostgres({ dataDir, say });
    try {
      for (const setting of ['fsync', 'full_page_writes', 'synchronous_commit']) {
        expect(await query(postgres.url, `show ${setting}`)).toEqual([{ [setting]: 'on' }]);
      }
    } finally {
      await postgres.stop();
    }
  });

  test('listens on loopback alone, asks for its password, and stores it readable by its owner alone', async () => {
    const postgres = await startPostgres({ dataDir, say });
    try {
      expect(await query(postgres.url, 'show listen_addresses')).toEqual([
        { listen_addresses: '127.0.0.1' },
      ]);
      const wrong = new URL(postgres.url);
      wrong.password = 'guessed';
      await expect(query(wrong.href, 'select 1')).rejects.toThrow(
        /password authentication failed/u,
      );
      expect((await stat(join(dataDir, 'postgres.json'))).mode & 0o777).toBe(0o600);
      expect((await stat(join(dataDir, 'postgres', 'data'))).mode & 0o777).toBe(0o700);
      expect(commandLine(postgres.pid)).not.toContain(new URL(postgres.url).password);
    } finally {
      await postgres.stop();
    }
  });

  test('keeps data, port and password when it is stopped and started', async () => {
    const first = await startPostgres({ dataDir, say });
    await query(first.url, 'create table kept as select 42 as answer');
    await first.stop();
    expect(commandLine(first.pid)).toBeNull();
    const second = await startPostgres({ dataDir, say });
    try {
      expect(second.url).toBe(first.url);
      expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    } finally {
      await second.stop();
    }
  });

  test('survives a kill -9 of the process that started it, and is taken over by the next one', async () => {
    const aside = await runAside(
      folder,
      `
      import { startPostgres } from '@src/embedded/postgres.ts';
      const { pid } = await startPostgres({ dataDir: ${JSON.stringify(dataDir)}, say: () => {} });
      console.log(pid);
      setInterval(() => {}, 1000);`,
    );
    await killHard(aside.child);
    const postgres = await startPostgres({ dataDir, say });
    try {
      expect(postgres.pid).toBe(Number(aside.line));
      expect(await query(postgres.url, 'select 1 as up')).toEqual([{ up: 1 }]);
    } finally {
      await postgres.stop();
    }
  });

  test('recovers everything that was committed after it is killed with -9 itself', async () => {
    const first = await startPostgres({ dataDir, say });
    await query(first.url, 'create table kept as select 42 as answer');
    process.kill(first.pid, 'SIGKILL');
    await first.gone();
    // As its children do, for longer: they have the socket until they notice that it is gone.
    const holder = await holdPort(Number(new URL(first.url).port));
    const starting = startPostgres({ dataDir, say });
    setTimeout(() => holder.close(), 500);
    const second = await starting;
    try {
      expect(second.url).toBe(first.url);
      expect(await query(second.url, 'select answer from kept')).toEqual([{ answer: 42 }]);
    } finally {
      await second.stop();
    }
  });

  test('starts although its old pid is now that of another process of the same user, which it leaves alone', async () => {
    const first = await startPostgres({ dataDir, say });
    process.kill(first.pid, 'SIGKILL');
    await first.gone();
    const root = process.getuid?.() === 0;
    const stranger = spawn('sleep', ['600'], root ? { uid: 65_534, gid: 65_534, cwd: '/' } : {});
    const pidFile = join(dataDir, 'postgres', 'data', 'postmaster.pid');
    const lines = (await readFile(pidFile, 'utf8')).split('\n');
    await writeFile(pidFile, [String(stranger.pid), ...lines.slice(1)].join('\n'));
    let second: EmbeddedPostgres | null = null;
    try {
      second = await startPostgres({ dataDir, say });
      expect(second.pid).not.toBe(stranger.pid);
      await second.stop();
      expect(commandLine(stranger.pid!)).toBe('sleep 600');
    } finally {
      await killHard(stranger);
    }
  });

  test('moves to another port when its own is in use, and says so', async () => {
    const first = await startPostgres({ dataDir, say });
    await first.stop();
    const port = Number(new URL(first.url).port);
    const other = await runAside(
      folder,
      `
      import { createServer } from 'node:net';
      createServer().listen(${port}, '127.0.0.1', () => console.log('listening'));`,
    );
    const second = await startPostgres({ dataDir, say });
    try {
      expect(new URL(second.url).port).not.toBe(String(port));
      expect(said).toContainEqual(expect.stringContaining(`Port ${port} is taken`));
    } finally {
      await second.stop();
      await killHard(other.child);
    }
  });

  test('refuses a data folder of another major version of Postgres with a clear error', async () => {
    const postgres = await startPostgres({ dataDir, say });
    await postgres.stop();
    await writeFile(join(dataDir, 'postgres', 'data', 'PG_VERSION'), '11\n');
    await expect(startPostgres({ dataDir, say })).rejects.toThrow(
      /was created by Postgres 11, and this version of Millrace brings Postgres \d+/u,
    );
  });

  test.runIf(process.getuid?.() === 0)(
    'as root, in a folder that no other user may enter, runs from another folder and says which',
    async () => {
      const places = { cacheDir: join(folder, 'cache'), systemDir: join(folder, 'system') };
      const secret = join(folder, 'secret');
      await mkdir(secret, { mode: 0o700 });
      const options = { dataDir: join(secret, 'data'), say, places };
      const first = await startPostgres(options);
      try {
        expect(said.join()).toContain(`its files go to ${places.systemDir}/cluster-`);
        const [who] = await query(
          first.url,
          `select setting from pg_settings where name = 'data_directory'`,
        );
        expect((await stat(String(who?.['setting']))).uid).toBe(65_534);
      } finally {
        await first.stop();
      }
      const second = await startPostgres(options);
      await second.stop();
      expect(second.url).toBe(first.url);
      const clusters = (await readdir(places.systemDir)).filter((name) =>
        name.startsWith('cluster'),
      );
      expect(clusters).toHaveLength(1);
    },
  );
});

describe('the embedded Temporal server', () => {
  test('has the search attributes and a UI, keeps its data, and survives a kill -9 of the process that started it', async () => {
    const aside = await runAside(
      folder,
      `
      import { startTemporal } from '@src/embedded/temporal.ts';
      const { pid } = await startTemporal({
        dataDir: ${JSON.stringify(dataDir)}, say: () => {}, env: process.env,
      });
      console.log(pid);
      setInterval(() => {}, 1000);`,
    );
    await killHard(aside.child);
    const first = await startTemporal({ dataDir, say, env: process.env });
    expect(first.pid).toBe(Number(aside.line));
    expect((await fetch(first.uiUrl)).status).toBe(200);
    const memo = await withTemporal(first.address, async (connection) => {
      const found = await connection.operatorService.listSearchAttributes({ namespace: 'default' });
      expect(Object.keys(found.customAttributes)).toEqual(
        expect.arrayContaining([...SEARCH_ATTRIBUTES]),
      );
      return connection.workflowService.startWorkflowExecution({
        namespace: 'default',
        workflowId: 'kept',
        workflowType: { name: 'kept' },
        taskQueue: { name: 'kept' },
        requestId: 'kept',
      });
    });
    await first.stop();
    expect(commandLine(first.pid)).toBeNull();

    const second = await startTemporal({ dataDir, say, env: process.env });
    try {
      expect([second.address, second.uiUrl]).toEqual([first.address, first.uiUrl]);
      const kept = await withTemporal(second.address, (connection) =>
        connection.workflowService.describeWorkflowExecution({
          namespace: 'default',
          execution: { workflowId: 'kept' },
        }),
      );
      expect(kept.workflowExecutionInfo?.execution?.runId).toBe(memo.runId);
    } finally {
      await second.stop();
    }
  });

  test.runIf(process.platform === 'linux')(
    'takes its settings from Millrace alone: no TEMPORAL_ variable of the user reaches it',
    async () => {
      const env = { ...process.env, TEMPORAL_API_KEY: 'planted' };
      const temporal = await startTemporal({ dataDir, say, env });
      try {
        expect(await readFile(`/proc/${temporal.pid}/environ`, 'utf8')).not.toContain('planted');
      } finally {
        await temporal.stop();
      }
    },
  );

  async function withTemporal<T>(
    address: string,
    work: (connection: Connection) => Promise<T>,
  ): Promise<T> {
    const connection = await Connection.connect({ address });
    try {
      return await work(connection);
    } finally {
      await connection.close();
    }
  }
});
