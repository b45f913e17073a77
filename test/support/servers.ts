import { copyFile, readdir, rm } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { Client } from 'pg';
import type { TestProject } from 'vitest/node';

import { migrate } from '../../src/db/migrate.ts';
import { ensureConsole } from '../../src/embedded/console.ts';
import { startPostgres } from '../../src/embedded/postgres.ts';
import { identityOf } from '../../src/embedded/processes.ts';
import { startTemporal } from '../../src/embedded/temporal.ts';
import { keptBundle } from '../../src/temporal/workflowBundle.ts';
import { TEMPLATE } from './database.ts';
import { DATA_ROOTS, makeDataFolder } from './dataFolder.ts';

declare module 'vitest' {
  export interface ProvidedContext {
    /** Of the run's Postgres; `createDatabase` makes each test its own database there. */
    databaseUrl: string;
    /** host:port of the run's Temporal server, with time skipping allowed; namespace `default`. */
    temporalAddress: string;
    temporalUi: string;
    /** File of the workflows, bundled. */
    workflowBundle: string;
  }
}

const PREFIX = 'millrace-test-';
/** Both names of the setting: 1.32.0 has the first, later servers the second. */
const SETTINGS = {
  // Continue-as-new after a few dozen commands instead of hundreds.
  'limit.historyCount.suggestContinueAsNew': 400,
  'frontend.WorkflowTimeSkippingEnabled': true,
  'system.workflowTimeSkippingEnabled': true,
};

/** Of the run's Postgres. A test that kills a Postgres has one of its own, which writes durably. */
const POSTGRES = {
  fsync: 'off',
  full_page_writes: 'off',
  max_wal_size: '512MB',
  max_connections: '400',
};

/** One Postgres with a migrated template database, one Temporal server and one bundle of the workflows for the whole run. */
export async function setup(project: TestProject): Promise<() => Promise<void>> {
  await sweep();
  await ensureConsole((line) => void process.stderr.write(`${line}\n`));
  const dataDir = await makeDataFolder(`${PREFIX}${process.pid}-`);
  const [postgres, temporal] = await start(dataDir);
  await makeTemplate(postgres.url);
  project.provide('databaseUrl', postgres.url);
  project.provide('temporalAddress', temporal.address);
  project.provide('temporalUi', temporal.uiUrl);
  project.provide('workflowBundle', await copyBundle(dataDir));
  return async () => {
    await Promise.all([postgres.stop(), temporal.stop()]);
    await rm(dataDir, { recursive: true });
  };
}

function start(dataDir: string) {
  const say = (line: string): void => void process.stderr.write(`${line}\n`);
  return Promise.all([
    startPostgres({ dataDir, say, settings: POSTGRES }),
    startTemporal({ dataDir, say, env: process.env, dynamicConfig: SETTINGS }),
  ]);
}

/** A copy, which stays as it is while sources change. */
async function copyBundle(folder: string): Promise<string> {
  const path = join(folder, 'workflows.cjs');
  await copyFile(await keptBundle(), path);
  return path;
}

async function makeTemplate(url: string): Promise<void> {
  const client = new Client({ connectionString: url });
  await client.connect();
  await client.query(`create database ${TEMPLATE}`);
  await client.end();
  const template = new URL(url);
  template.pathname = `/${TEMPLATE}`;
  await migrate(template.href);
}

/** A run that was killed has left its servers: they are found by its folder, and stopped. */
async function sweep(): Promise<void> {
  const roots = DATA_ROOTS.map(async (root) =>
    (await readdir(root)).filter((name) => name.startsWith(PREFIX)).map((name) => join(root, name)),
  );
  for (const dataDir of (await Promise.all(roots)).flat()) {
    const pid = Number(basename(dataDir).slice(PREFIX.length).split('-')[0]);
    if (Number.isNaN(pid)) continue; // what runs share: the compile cache
    if (identityOf(pid)?.includes('vitest') === true) continue;
    const servers = await start(dataDir).catch(() => []); // a folder that was only half made
    await Promise.all(servers.map((server) => server.stop()));
    await rm(dataDir, { recursive: true, force: true });
  }
}
