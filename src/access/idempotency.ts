import { timingSafeEqual } from 'node:crypto';

import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { Refusal } from '../db/refusal.ts';
import { newSeed, type Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';

/** A request that its caller may repeat without doing its work twice. */
export interface Repeatable {
  /** Id of the caller. Two callers that use the same key do not affect each other. */
  caller: string;
  /** Value of the `Idempotency-Key` header. */
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

/** `run`: do the work with that seed, then pass that run to `finish` or `release`. */
export type Begun =
  | { kind: 'run'; run: string; seed: Seed }
  | { kind: 'running' }
  | { kind: 'mismatch'; method: string; path: string }
  | { kind: 'done'; answer: StoredAnswer };

/** Keeps the answers to requests with an `Idempotency-Key`, sealed, for 24 hours. */
export interface Idempotency {
  /**
   * Claims the key for a new run, unless another one holds it or has answered. Throws a `Refusal` (409) when
   * what is stored for the key can't be opened.
   */
  begin(request: Repeatable): Promise<Begun>;
  /** Stores the answer; has no effect when another run has taken the key over. */
  finish(request: Repeatable, run: string, answer: StoredAnswer): Promise<void>;
  /**
   * Gives up the key without an answer: the next request runs again. A repetition of the same request gets the
   * same seed, because this run may already have created something from it.
   */
  release(request: Repeatable, run: string): Promise<void>;
  /** Removes answers older than 24 hours. */
  clean(): Promise<void>;
}

/** A run that takes longer is assumed to have died with its process. */
const TAKEN_OVER = `interval '60 seconds'`;

interface Row {
  method: string;
  path: string;
  request: Buffer;
  state: 'running' | 'done';
  status: number;
  answer: string;
}

/** The store that owns the table `idempotency_keys`. */
export function createIdempotency({ sql, vault }: { sql: Sql; vault: Vault }): Idempotency {
  async function begin(request: Repeatable): Promise<Begun> {
    const run = newId();
    const fresh = newSeed();
    const sealed = vault.seal(fresh.bytes.toString('base64'), aad(request, 'seed'));
    for (;;) {
      const claimed = await claim(sql, request, run, { id: fresh.id, seed: sealed });
      if (claimed !== null) return { kind: 'run', run, seed: openSeed(request, claimed) };
      const { rows } = await sql.query<Row>({
        text: `
          select method, path, request, state, status, answer from idempotency_keys
           where caller = $1 and key = $2`,
        values: [request.caller, request.key],
      });
      if (rows[0] !== undefined) return readRow(request, rows[0]); // otherwise it has just expired
    }
  }

  function readRow(request: Repeatable, row: Row): Begun {
    if (!isSame(request, row)) return { kind: 'mismatch', method: row.method, path: row.path };
    if (row.state === 'running') return { kind: 'running' };
    const text = opened(row.answer, request, 'answer');
    const sealed = JSON.parse(text) as Omit<StoredAnswer, 'status'>;
    return { kind: 'done', answer: { status: row.status, ...sealed } };
  }

  function openSeed(request: Repeatable, { id, seed }: SealedSeed): Seed {
    return { id, bytes: Buffer.from(opened(seed, request, 'seed'), 'base64') };
  }

  /**
   * Unseals a text; refuses (409) one that no configured key opens, because the request must not be carried out
   * a second time.
   */
  function opened(sealed: string, request: Repeatable, column: 'answer' | 'seed'): string {
    try {
      return vault.open(sealed, aad(request, column));
    } catch {
      const detail =
        `The stored data of the Idempotency-Key ${request.key} can't be opened with MILLRACE_ENCRYPTION_KEYS; ` +
        'the request may have been carried out: check what it has changed, then use another key';
      throw new Refusal({ status: 409, code: 'idempotency_unreadable', detail });
    }
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

/** A seed whose bytes are sealed. */
interface SealedSeed {
  id: string;
  seed: string;
}

/** Whether the stored row, which has not expired, belongs to the request that claims it. */
const SAME =
  'kept.expires_at > now() and kept.method = excluded.method and kept.request = excluded.request';

/**
 * Claims the key and returns the seed to use. It can be claimed while it is new or expired, after its
 * run was released, and after a run of the same request has died. Null: another run holds it or has
 * answered.
 */
async function claim(
  sql: Sql,
  request: Repeatable,
  run: string,
  fresh: SealedSeed,
): Promise<SealedSeed | null> {
  const { rows } = await sql.query<SealedSeed>({
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

/** Binds a sealed value to its row and column. No caller id holds a `:`, so no two rows share one. */
function aad({ caller, key, request }: Repeatable, column: 'answer' | 'seed'): string {
  return `idempotency_keys:${column}:${caller}:${request.toString('hex')}:${key}`;
}
