import { hash } from 'node:crypto';

import { textArray } from '../db/arrayLiteral.ts';
import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import { refuseField } from '../db/refusal.ts';
import { newSeed, secretFor, type Seed } from '../db/seed.ts';
import type { ApiKey, ApiKeyInput, NewApiKey, Scope } from '../schema/apiKey.ts';

/** What authentication needs to know about a key. */
export interface StoredKey {
  id: string;
  name: string;
  scopes: Scope[];
  hash: Buffer;
  expires_at: string | null;
  revoked_at: string | null;
}

/** What a key, or the key of a session, allows now. */
export interface KeyStanding {
  state: 'good' | 'revoked' | 'expired';
  scopes: Scope[];
}

/** Stores API keys as hashes only. Revoked keys stay in the list. */
export interface ApiKeys {
  /** Creates a key and returns it; no later answer shows it. The same seed yields the same key. */
  create(input: ApiKeyInput, createdBy: string, seed?: Seed): Promise<NewApiKey>;
  get(id: string): Promise<ApiKey | null>;
  /** Newest first. */
  list(page: { limit: number; after: ListPlace | null }): Promise<ListPage<ApiKey>>;
  /** Notifies every process; false when there is no such key. Revoking twice changes nothing. */
  revoke(id: string): Promise<boolean>;
  /** Looks a key up by its SHA-256. */
  find(digest: Buffer): Promise<StoredKey | null>;
  /** What the keys with these ids allow now, by id; an id without a key is left out. */
  standings(ids: string[]): Promise<Map<string, KeyStanding>>;
  /** Records that the key is in use, at most once a minute. */
  used(id: string): Promise<void>;
}

const COLUMNS =
  'id, name, scopes, last4, created_at, created_by, expires_at, last_used_at, revoked_at';

/** The expression for the state of the key in the row `k` of `api_keys`. */
export const KEY_STATE = `
  case when k.revoked_at is not null then 'revoked' when k.expires_at <= now() then 'expired' else 'good' end`;

/** The store that owns the table `api_keys`; `now` gives unix ms by the clock of Postgres. */
export function createApiKeys(sql: Sql, now: () => number): ApiKeys {
  return {
    create: async (input, createdBy, seed = newSeed()) => {
      refusePast(input.expires_at ?? null, now());
      return create(sql, input, createdBy, seed);
    },
    get: (id) => find(sql, id),
    list: async ({ limit, after }) => {
      const { rows } = await sql.query<ApiKey>({
        text: `
          select ${COLUMNS} from api_keys
           where $2::uuid is null or (created_at, id) < ($1::timestamptz, $2)
           order by created_at desc, id desc
           limit $3`,
        values: [after?.at ?? null, after?.id ?? null, limit + 1],
      });
      return toPage(rows, limit, (row) => ({ at: row.created_at, id: row.id }));
    },
    revoke: async (id) => {
      const { rows } = await sql.query({
        text: `
          update api_keys set revoked_at = coalesce(revoked_at, now())
           where id = $1
          returning pg_notify('${CHANNELS.apiKeys}', id::text)`,
        values: [id],
      });
      return rows.length > 0;
    },
    find: async (digest) => {
      const { rows } = await sql.query<StoredKey>({
        name: 'find api key',
        text: 'select id, name, scopes, hash, expires_at, revoked_at from api_keys where hash = $1',
        values: [digest],
      });
      return rows[0] ?? null;
    },
    standings: async (ids) => {
      const { rows } = await sql.query<KeyStanding & { id: string }>({
        name: 'standing of api keys',
        text: `select k.id, k.scopes, ${KEY_STATE} as state from api_keys k where k.id = any ($1::uuid[])`,
        values: [ids],
      });
      return new Map(rows.map(({ id, state, scopes }) => [id, { state, scopes }]));
    },
    used: async (id) => {
      await sql.query({
        name: 'api key used',
        text: `
          update api_keys set last_used_at = now()
           where id = $1 and (last_used_at is null or last_used_at < now() - interval '1 minute')`,
        values: [id],
      });
    },
  };
}

async function find(sql: Sql, id: string): Promise<ApiKey | null> {
  const { rows } = await sql.query<ApiKey>({
    text: `select ${COLUMNS} from api_keys where id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

async function create(
  sql: Sql,
  input: ApiKeyInput,
  createdBy: string,
  seed: Seed,
): Promise<NewApiKey> {
  const expiresAt = input.expires_at ?? null;
  const key = `mk_${secretFor('api key', seed).toString('base64url')}`;
  const { rows } = await sql.query<ApiKey>({
    text: `
      insert into api_keys (id, name, scopes, hash, last4, created_by, expires_at)
      values ($1, $2, $3::text[], $4, $5, $6, $7)
          on conflict do nothing -- the same seed was used before: id and hash are the same
      returning ${COLUMNS}`,
    values: [
      seed.id,
      input.name,
      textArray(input.scopes),
      digestOf(key),
      key.slice(-4),
      createdBy,
      expiresAt,
    ],
  });
  const created = rows[0] ?? (await find(sql, seed.id));
  return { ...created!, key };
}

function refusePast(expiresAt: string | null, nowMs: number): void {
  if (expiresAt !== null && Date.parse(expiresAt) <= nowMs) {
    throw refuseField('/expires_at', 'must be in the future');
  }
}

/** The SHA-256 that is stored in place of an API key, a session cookie or a sign-in token. */
export function digestOf(secret: string): Buffer {
  return hash('sha256', secret, 'buffer');
}
