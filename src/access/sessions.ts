import { randomBytes, scrypt } from 'node:crypto';
import { promisify } from 'node:util';

import type { Sql } from '../db/db.ts';
import type { Scope } from '../schema/apiKey.ts';
import { digestOf, KEY_STATE, type KeyStanding } from './apiKeys.ts';
import type { Caller } from './caller.ts';
import { BOOTSTRAP } from './keyring.ts';

/** A random secret, of which only the hash is stored. */
export interface Issued {
  token: string;
  expiresAt: string;
}

/** A session that was found by its token. */
export interface OpenSession {
  caller: Caller;
  expiresAt: string;
  /** Whether its end was just extended, so that the cookie has to be sent again. */
  moved: boolean;
}

/** Console sessions, and the one-time tokens that open them. Both end with their API key. */
export interface Sessions {
  /** Opens a session that ends 12 hours after its last use. */
  open(caller: Caller): Promise<Issued>;
  /** Null when it has ended, or its key is revoked, expired or no longer the configured one. */
  find(token: string): Promise<OpenSession | null>;
  /**
   * What the sessions with these hashes (hex) allow now, by hash; one that has ended is left out. Prolongs
   * none of them, so that an answer that stays open does not keep its session alive.
   */
  standings(hashes: string[]): Promise<Map<string, KeyStanding>>;
  close(token: string): Promise<void>;
  /** Creates a sign-in token, which works once, within 15 minutes. */
  issue(caller: Caller): Promise<Issued>;
  /** Uses up a sign-in token and returns its owner; null when it is used, expired, or its key has ended. */
  redeem(token: string): Promise<Caller | null>;
  /** Removes expired sessions and tokens. */
  clean(): Promise<void>;
}

const LIFE = `interval '12 hours'`;
/** A session with less time left is extended: at most one write in five minutes. */
const MOVES = `interval '11 hours 55 minutes'`;

interface Owner {
  api_key_id: string | null;
  name: string | null;
  scopes: Scope[] | null;
  key_expires_at: string | null;
}

/** Keeps the rows of `owned` whose key is valid now; `$2` is the fingerprint of the configured key. */
const WITH_GOOD_KEY = `
  left join api_keys k on k.id = owned.api_key_id
      where case when owned.api_key_id is null then owned.bootstrap = $2
                 else k.revoked_at is null and (k.expires_at is null or k.expires_at > now()) end`;
const OWNER = 'owned.api_key_id, k.name, k.scopes, k.expires_at as key_expires_at';

/** The store that owns the tables `sessions` and `signin_tokens`. */
export function createSessions(deps: { sql: Sql; bootstrapKey: string }): Sessions {
  const { sql } = deps;
  let fingerprint: Promise<Buffer> | null = null;
  const bootstrap = (): Promise<Buffer> => (fingerprint ??= fingerprintOf(deps.bootstrapKey));

  async function insert(table: string, life: string, { id }: Caller): Promise<Issued> {
    const token = randomBytes(32).toString('base64url');
    const isBootstrap = id === BOOTSTRAP.id;
    const { rows } = await sql.query<{ expires_at: string }>({
      text: `
        insert into ${table} (hash, api_key_id, bootstrap, expires_at)
        values ($1, $2, $3, now() + ${life})
        returning expires_at`,
      values: [digestOf(token), isBootstrap ? null : id, isBootstrap ? await bootstrap() : null],
    });
    return { token, expiresAt: rows[0]!.expires_at };
  }

  return {
    open: (caller) => insert('sessions', LIFE, caller),
    issue: (caller) => insert('signin_tokens', `interval '15 minutes'`, caller),
    find: async (token) => {
      const { rows } = await sql.query<Owner & { expires_at: string; moved_to: string | null }>({
        name: 'find session',
        text: `
          with found as (
            select owned.hash, owned.expires_at, ${OWNER}
              from sessions owned ${WITH_GOOD_KEY}
               and owned.hash = $1 and owned.expires_at > now()
          ), moved as (
               update sessions set expires_at = now() + ${LIFE}
                where hash in (select hash from found where expires_at < now() + ${MOVES})
            returning expires_at
          )
          select found.*, moved.expires_at as moved_to from found left join moved on true`,
        values: [digestOf(token), await bootstrap()],
      });
      const row = rows[0];
      if (row === undefined) return null;
      const expiresAt = row.moved_to ?? row.expires_at;
      return { caller: toCaller(row), expiresAt, moved: row.moved_to !== null };
    },
    standings: async (hashes) => {
      const { rows } = await sql.query<KeyStanding & { hash: string }>({
        name: 'standing of sessions',
        text: `
          select encode(s.hash, 'hex') as hash, coalesce(k.scopes, $3::text[]) as scopes,
                 case when s.api_key_id is null then case when s.bootstrap = $2 then 'good' else 'revoked' end
                      else ${KEY_STATE} end as state
            from sessions s left join api_keys k on k.id = s.api_key_id
           where s.hash = any (select decode(one, 'hex') from unnest($1::text[]) one)
             and s.expires_at > now()`,
        values: [hashes, await bootstrap(), BOOTSTRAP.scopes],
      });
      return new Map(rows.map(({ hash, state, scopes }) => [hash, { state, scopes }]));
    },
    close: async (token) => {
      await sql.query({
        text: 'delete from sessions where hash = $1',
        values: [digestOf(token)],
      });
    },
    redeem: async (token) => {
      const { rows } = await sql.query<Owner>({
        text: `
          with owned as (
            delete from signin_tokens where hash = $1 and expires_at > now()
            returning api_key_id, bootstrap
          )
          select ${OWNER} from owned ${WITH_GOOD_KEY}`,
        values: [digestOf(token), await bootstrap()],
      });
      return rows[0] === undefined ? null : toCaller(rows[0]);
    },
    clean: async () => {
      await sql.query('delete from sessions where expires_at <= now()');
      await sql.query('delete from signin_tokens where expires_at <= now()');
    },
  };
}

function toCaller(owner: Owner): Caller {
  if (owner.api_key_id === null) return BOOTSTRAP;
  return {
    id: owner.api_key_id,
    name: owner.name ?? '',
    scopes: owner.scopes ?? [],
    expiresAt: owner.key_expires_at,
  };
}

/** A slow hash: the configured key may be short, and the table must not help to guess it. */
async function fingerprintOf(key: string): Promise<Buffer> {
  const slowly = promisify<string, string, number, Buffer>(scrypt);
  return slowly(key, 'millrace session', 32);
}
