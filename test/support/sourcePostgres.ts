import { randomUUID } from 'node:crypto';
import { rm } from 'node:fs/promises';
import { Socket } from 'node:net';

import pg from 'pg';

import { startPostgres, type EmbeddedPostgres } from '../../src/embedded/postgres.ts';
import { SESSION_SQL } from '../../src/sources/postgres/jsonValue.ts';
import type { SourceConfig } from '../../src/sources/postgres/sourceConfig.ts';
import { makeDataFolder } from './dataFolder.ts';
import { killPostgres } from './killPostgres.ts';

/** Somebody's Postgres, whose tables are a source. */
export interface SourcePostgres extends AsyncDisposable {
  readonly url: string;
  /** An empty database of its own for a test; its URL. */
  createDatabase(): Promise<string>;
  /** A session whose values are the texts that Postgres prints, with the settings of a source's sessions. */
  connect(url?: string): Promise<SourceSession>;
  /** Kills it by -9, with all of its processes. */
  kill(): Promise<void>;
  /** Starts it again with everything that it had; at the same address, unless somebody else has it by now. */
  restart(): Promise<void>;
}

export interface SourceSession extends AsyncDisposable {
  client: pg.Client;
  /** Rows as lists of texts. */
  rows(text: string, values?: unknown[]): Promise<(string | null)[][]>;
  /** Runs statements that return nothing of interest. */
  run(...statements: string[]): Promise<void>;
}

/** How a source is reached at a URL, wherever that leads. */
export function configOf(url: string): SourceConfig {
  return { connectionString: url, stream: () => new Socket() };
}

/**
 * Starts a Postgres of the test's own whose log may be decoded: the embedded one, or that of a package, whose folder is
 * given.
 */
export async function openSourcePostgres(
  settings: Record<string, string> = {},
  packageDir?: string,
): Promise<SourcePostgres> {
  const dataDir = await makeDataFolder('millrace-source-');
  const start = (): Promise<EmbeddedPostgres> =>
    startPostgres({
      dataDir,
      say: () => undefined,
      settings: { wal_level: 'logical', shared_buffers: '32MB', ...settings },
      ...(packageDir !== undefined && { packageDir }),
    });
  let postgres = await start();
  return {
    get url() {
      return postgres.url;
    },
    createDatabase: async () => {
      const url = new URL(postgres.url);
      const name = `source_${randomUUID().replaceAll('-', '')}`;
      await using session = await connectTo(url.href);
      await session.run(`create database ${name}`);
      url.pathname = `/${name}`;
      return url.href;
    },
    connect: (url = postgres.url) => connectTo(url),
    kill: () => killPostgres(postgres.pid),
    restart: async () => {
      postgres = await start();
    },
    [Symbol.asyncDispose]: async () => {
      await postgres.stop();
      await rm(dataDir, { recursive: true });
    },
  };
}

/** Connects to a Postgres of the test's own. */
export async function connectTo(url: string): Promise<SourceSession> {
  const client = new pg.Client({
    connectionString: url,
    types: { getTypeParser: () => (text: string) => text },
  });
  client.on('error', () => undefined); // a statement after it fails as well
  await client.connect();
  await client.query(SESSION_SQL);
  return {
    client,
    rows: async (text, values = []) =>
      (await client.query<(string | null)[]>({ text, values, rowMode: 'array' })).rows,
    run: async (...statements) => {
      for (const statement of statements) await client.query(statement);
    },
    [Symbol.asyncDispose]: () => client.end(),
  };
}
