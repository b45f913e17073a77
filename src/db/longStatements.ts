import type pg from 'pg';

import { ANSWER_MS, type Query, type Sql } from './db.ts';

const LONG_MS = 600_000;

/** Gives the statements of the rest of a transaction ten minutes each, instead of the minute that others have. */
export async function withLongStatements(tx: Sql): Promise<Sql> {
  await tx.query(`set local statement_timeout = ${LONG_MS}`);
  return {
    query: <R extends pg.QueryResultRow>(query: Query | string) => {
      const asked = typeof query === 'string' ? { text: query } : query;
      return tx.query<R>({ ...asked, query_timeout: LONG_MS + ANSWER_MS });
    },
  };
}
