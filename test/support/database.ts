import { randomUUID } from 'node:crypto';

import { Client } from 'pg';
import { inject } from 'vitest';

/** The migrated database that each test's own is a copy of. */
export const TEMPLATE = 'millrace_template';

/** For `openDb` where it is not about a Postgres that is away: a busy machine may take longer to connect than 5 s. */
export const PATIENT = { connectMs: 60_000 };

export interface TestDatabase extends AsyncDisposable {
  url: string;
}

/** A fresh migrated database, dropped with whatever is still connected when it is disposed of. */
export function createDatabase(): Promise<TestDatabase> {
  return create(`template ${TEMPLATE}`);
}

/** A database without a table, dropped likewise. */
export function createEmptyDatabase(): Promise<TestDatabase> {
  return create('');
}

async function create(template: string): Promise<TestDatabase> {
  const name = `test_${randomUUID().replaceAll('-', '')}`;
  const url = new URL(inject('databaseUrl'));
  url.pathname = `/${name}`;
  await run(`create database ${name} ${template}`);
  return {
    url: url.href,
    [Symbol.asyncDispose]: () => run(`drop database ${name} with (force)`),
  };
}

async function run(text: string): Promise<void> {
  const client = new Client({ connectionString: inject('databaseUrl') });
  await client.connect();
  try {
    await client.query(text);
  } finally {
    await client.end();
  }
}
