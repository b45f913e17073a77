import { timingSafeEqual } from 'node:crypto';

import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { newSeed, type Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';

/** A request that its caller may repeat. */
export interface Repeatable {
  /** Whose key it is: others' use of the same text is their own. */
  caller: string;
  key: string;
  method: string;
  path: string;
  /** SHA-256 of path, query and body. */
  request: Buffer;
}

export interface StoredAnswer {
  status: number;
  headers: Record<string, string>;
  body: string;
}

/** `run`: do it of that making, and say so with that run. */
export type Begun =
  | { kind: 'run'; run: string; making: Seed }
  | { kind: 'running' }
  | { kind: 'mismatch'; method: string; path: string }
  | { kind: 'done'; answer: StoredAnswer };

/** Answers to requests with an `Idempotency-Key`, kept for 24 hours, sealed. */
export interface Idempotency {
  begin(request: Repeatable): Promise<Begun>;
  /** Without effect when another run has taken it over. */
  finish(request: Repeatable, run: string, answer: StoredAnswer): Promise<void>;
  /**
   * It did not work out on our side: the next one runs it anew, of the same making where the request
   * is the same, as something may have been made.
   */
  release(request: Repeatable, run: string): Promise<void>;
  /** Removes what is older. */
  clean(): Promise<void>;
}

/** A run that takes longer has died with its process. */
const TAKEN_OVER = `interval '60 seconds'`;

interface Row {
  method: string;
  path: string;
  request: Buffer;
  state: 'running' | 'done';
  status: number;
  answer: string;
}

export function createIdempotency({ sql, vault }: { sql: Sql; vault: Vault }): Idempotency {
  async function begin(request: Repeatable): Promise<Begun> {
    const run = newId();
    const fresh = newSeed();
    const seed = vault.seal(fresh.bytes.toString('base64'), aad(request, 'seed'));
    for (;;) {
      const claimed = await claim(sql, request, run, { id: fresh.id, seed });
      if (claimed !== null) return { kind: 'run', run, making: toMaking(request, claimed) };
      const { rows } = await sql.query<Row>({
        text: `
          select method, path, request, state, status, answer from idempotency_keys
           where caller = $1 and key = $2`,
        values: [request.caller, request.key],
      });
      if (rows[0] !== undefined) return readRow(request, rows[0]); // else released just now
    }
  }

  function readRow(request: Repeatable, row: Row): Begun {
    if (!isSame(request, row)) return { kind: 'mismatch', method: row.method, path: row.path };
    if (row.state === 'running') return { kind: 'running' };
    const sealed = JSON.parse(vault.open(row.answer, aad(request, 'answer'))) as Omit<
      StoredAnswer,
      'status'
    >;
    return { kind: 'done', answer: { status: row.status, ...sealed } };
  }

  function toMaking(request: Repeatable, { id, seed }: Claimed): Seed {
    return { id, bytes: Buffer.from(vault.open(seed, aad(request, 'seed')), 'base64') };
  }

  async function finish(request: Repeatable, run: string, answer: StoredAnswer): Promise<void> {
    const { status, ...sealed } = answer;
    await sql.query({
      text: `
        update idempotency_keys set state = 'done', status = $4, answer = $5, seed = null
         where caller = $1 and key = $2 and run = $3`,
      values: [
        request.caller,
        request.key,
        run,
        status,
        vault.seal(JSON.stringify(sealed), aad(request, 'answer')),
      ],
    });
  }

  async function release(request: Repeatable, run: string): Promise<void> {
    await sql.query({
      text: `
        update idempotency_keys set taken_at = '-infinity'
         where caller = $1 and key = $2 and run = $3`,
      values: [request.caller, request.key, run],
    });
  }

  async function clean(): Promise<void> {
    await sql.query('delete from idempotency_keys where expires_at <= now()');
  }

  return { begin, finish, release, clean };
}

/** A making whose seed is sealed. */
interface Claimed {
  id: string;
  seed: string;
}

/** The same request, of a run that has ended without an answer. */
const SAME =
  'kept.expires_at > now() and kept.method = excluded.method and kept.request = excluded.request';

/**
 * What to make it of, if this run has it: it is new, or too old to count, or whoever ran the same
 * request has died, or it failed on our side. Null: somebody else has it.
 */
async function claim(
  sql: Sql,
  request: Repeatable,
  run: string,
  fresh: Claimed,
): Promise<Claimed | null> {
  const { rows } = await sql.query<Claimed>({
    text: `
      insert into idempotency_keys as kept
             (caller, key, method, path, request, state, run, making, seed, expires_at)
      values ($1, $2, $3, $4, $5, 'running', $6, $7, $8, now() + interval '24 hours')
          on conflict (caller, key) do update
         set method = excluded.method, path = excluded.path, request = excluded.request,
             state = 'running', run = excluded.run, taken_at = now(), status = null, answer = null,
             created_at = now(), expires_at = excluded.expires_at,
             making = case when ${SAME} then coalesce(kept.making, excluded.making) else excluded.making end,
             seed = case when ${SAME} then coalesce(kept.seed, excluded.seed) else excluded.seed end
       where kept.expires_at <= now()
          or (kept.state = 'running' and kept.taken_at = '-infinity')
          or (kept.state = 'running' and kept.taken_at <= now() - ${TAKEN_OVER} and ${SAME})
      returning making as id, seed`,
    values: [
      request.caller,
      request.key,
      request.method,
      request.path,
      request.request,
      run,
      fresh.id,
      fresh.seed,
    ],
  });
  return rows[0] ?? null;
}

function isSame(request: Repeatable, row: Row): boolean {
  return request.method === row.method && timingSafeEqual(request.request, row.request);
}

/** The row: a caller has no `:` in it, so that two rows never share one. */
function aad({ caller, key, request }: Repeatable, column: 'answer' | 'seed'): string {
  return `idempotency_keys:${column}:${caller}:${request.toString('hex')}:${key}`;
}
