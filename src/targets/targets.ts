import { CHANNELS } from '../db/channels.ts';
import type { Db, Sql } from '../db/db.ts';
import { type ListPage, toPage } from '../db/keyset.ts';
import { Refusal, refuseField } from '../db/refusal.ts';
import { newSeed, type Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';
import type { Egress } from '../egress/egress.ts';
import { newSigningSecret } from '../egress/signing.ts';
import { CannotStart } from '../rules/startFault.ts';
import { SHOWN_STATUS } from '../rules/statusSql.ts';
import type { Credentials, Target, TargetInput, TargetPatch } from '../schema/target.ts';
import { refuseRequestSettings, type RequestSettings } from './checkTarget.ts';
import {
  refuseCertificateElsewhere,
  sealClientCertificate,
  type CertificateRow,
} from './clientCertificate.ts';
import { refuseElsewhere, unmasked } from './credentials.ts';
import { type OpenTarget, openTarget, openDraft, type Row } from './openTarget.ts';
import {
  openHeaders,
  refuseHeadersElsewhere,
  sealHeaders,
  unmaskedHeaders,
} from './secretHeaders.ts';
import { rotateSigningSecret } from './secretRotation.ts';
import { targetRows, type TargetQuery } from './targetRows.ts';
import {
  CREDENTIALS,
  openCredentials,
  openSigningSecret,
  SIGNING_SECRET,
} from './targetSecrets.ts';
import { maskedSecret, toTarget } from './targetView.ts';
import { COUNTED_AS_TRIED, triedLately } from './triedTargets.ts';
import { orUnreadable } from './unseal.ts';

/** The endpoints that consumers send to. Secrets are sealed at rest and masked in answers. */
export interface Targets {
  /**
   * Creates a target and returns it with the whole signing secret. The same seed yields the same target, as it
   * is by then.
   */
  create(input: TargetInput, seed?: Seed): Promise<Target>;
  get(id: string): Promise<Target | null>;
  /** Whether there is one with this id. */
  exists(id: string): Promise<boolean>;
  /** A page of the targets that match, newest first. */
  list(query: TargetQuery): Promise<ListPage<Target>>;
  /** Replaces the given fields, except secrets that come masked. Running senders use it immediately. */
  patch(id: string, patch: TargetPatch): Promise<Target | null>;
  /**
   * Creates a new signing secret and returns it whole; the current one signs as well for `expiresInS`
   * seconds. Running senders use it immediately. Repeated with the same seed it returns the same secret
   * and ends none. Null when there is no such target.
   */
  rotateSecret(id: string, expiresInS: number, seed?: Seed): Promise<Target | null>;
  /**
   * Reads a target for sending, with its secrets unsealed; null when there is none. Throws a `Refusal`
   * (409) when they can't be read.
   */
  open(id: string): Promise<OpenTarget | null>;
  /** Opens a target that is not stored, with a new signing secret; throws a `Refusal` if it is invalid. */
  openDraft(input: TargetInput): OpenTarget;
  /** Records who has just tested it with success, so that blocked consumers of the target try immediately. */
  tested(id: string, actor: string): Promise<void>;
  /** False when there is none; throws a `Refusal` (409) that names the consumers that use it. */
  remove(id: string): Promise<boolean>;
}

/** The store that owns the table `targets`. */
export function createTargets(deps: {
  db: Db;
  vault: Vault;
  egress: Pick<Egress, 'refusal'>;
}): Targets {
  const { db, vault } = deps;
  const refuse = (settings: RequestSettings): void => refuseRequestSettings(settings, deps.egress);
  return {
    create: (input, seed = newSeed()) => {
      refuse(input);
      return create(db, vault, input, seed);
    },
    get: async (id) => {
      const row = await find(db, id);
      return row === null ? null : toTarget(row, vault);
    },
    exists: async (id) => {
      const text = 'select from targets where id = $1';
      return (await db.query({ text, values: [id] })).rowCount === 1;
    },
    list: (query) => list(db, vault, query),
    patch: (id, patch) => db.transaction((tx) => update(tx, vault, id, patch, refuse)),
    rotateSecret: (id, expiresInS, seed = newSeed()) =>
      db.transaction((tx) => rotateSecret(tx, vault, id, expiresInS, seed)),
    open: (id) => openTarget(db, vault, id).catch(refuseUnreadable),
    openDraft: (input) => {
      refuse(input);
      return openDraft(input);
    },
    tested: async (id, actor) => {
      await db.query({
        text: `
          update targets set version = version + 1, tested_version = version + 1, tested_by = $2
           where id = $1
             and exists (select from consumers k join cursors c on c.consumer_id = k.id
                          where k.target_id = $1 and k.deleted_at is null
                            and ${SHOWN_STATUS} = 'blocked')`,
        values: [id, actor],
      });
    },
    remove: (id) => db.transaction((tx) => remove(tx, id)),
  };
}

/** Refuses (409) to use a target of which a part can't be read. */
export function refuseUnreadable(error: unknown): never {
  if (!(error instanceof CannotStart)) throw error;
  throw new Refusal({ status: 409, code: 'target_unreadable', detail: `${error.message}.` });
}

/** Selects the targets of `rows` (all columns), with how many of their consumers are in trouble. */
function selectTargets(rows: string): string {
  return `
    select t.*, coalesce(t.previous_expires_at > clock_timestamp(), false) as previous_signs,
           ${COUNTED_AS_TRIED} as tried,
           used.active, used.paused, used.blocked, used.stopped, used.faulty, used.faulty_active, used.faults
      from (${rows}) t
      left join lateral (
        select count(*) filter (where ${SHOWN_STATUS} = 'active') as active,
               count(*) filter (where k.status = 'paused') as paused,
               count(*) filter (where ${SHOWN_STATUS} = 'blocked') as blocked,
               count(*) filter (where k.status = 'stopped') as stopped,
               count(f.consumer_id) as faulty,
               count(f.consumer_id) filter (where ${SHOWN_STATUS} = 'active') as faulty_active,
               array_agg(distinct f.detail) filter (where f.consumer_id is not null) as faults
          from consumers k
          join cursors c on c.consumer_id = k.id
          left join start_faults f on f.consumer_id = k.id and k.status in ('active', 'blocked')
         where k.target_id = t.id and k.deleted_at is null
      ) used on true
     order by t.created_at desc, t.id desc`;
}

async function find(sql: Sql, id: string): Promise<Row | null> {
  const { rows } = await sql.query<Row>({
    text: selectTargets('select * from targets where id = $1'),
    values: [id],
  });
  return (await withTried(sql, rows))[0] ?? null;
}

/** The rows, with what was sent since the last counted minute as well. */
async function withTried(sql: Sql, rows: Row[]): Promise<Row[]> {
  const uncounted = rows.filter(({ tried }) => tried !== true).map(({ id }) => id);
  const lately = await triedLately(sql, uncounted);
  return rows.map((row) => (lately.has(row.id) ? { ...row, tried: true } : row));
}

async function create(sql: Sql, vault: Vault, input: TargetInput, { id }: Seed): Promise<Target> {
  const secret = input.signing_secret ?? newSigningSecret();
  const { headers, secret_headers } = sealHeaders(id, input.headers, vault);
  const own = sealClientCertificate(id, input.client_certificate, vault);
  const { rows } = await sql.query<Row>({
    text: `
      insert into targets (id, name, kind, base_url, credentials, headers, signing_secret,
                           timeout_ms, max_in_flight, rate_limit, metadata, ca, secret_headers,
                           client_certificate, client_certificate_shown, client_certificate_ends,
                           created_at, updated_at)
      values ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14, $15, $16, now(), now())
          on conflict (id) do nothing
      returning *`,
    values: [
      id,
      input.name,
      input.kind,
      input.base_url,
      vault.seal(JSON.stringify(input.credentials), CREDENTIALS(id)),
      JSON.stringify(headers),
      vault.seal(secret, SIGNING_SECRET(id)),
      input.timeout_ms,
      input.max_in_flight,
      input.rate_limit,
      JSON.stringify(input.metadata),
      input.ca,
      secret_headers,
      ...certificateValues(own),
    ],
  });
  const row = rows[0] ?? (await find(sql, id));
  if (row === null) throw new Error(`target ${id} was deleted while its creation was repeated`);
  const made = orUnreadable(() => openSigningSecret(row, vault));
  return { ...toTarget(row, vault), ...(made === null ? {} : { signing_secret: made }) };
}

async function list(sql: Sql, vault: Vault, query: TargetQuery): Promise<ListPage<Target>> {
  const { text, values } = targetRows(query);
  const { rows } = await sql.query<Row>({ text: selectTargets(text), values });
  const page = toPage(await withTried(sql, rows), query.limit, (row) => ({
    at: row.created_at,
    id: row.id,
  }));
  return { ...page, data: page.data.map((row) => toTarget(row, vault)) };
}

/** Fields that affect requests: a change of one is a new version, which blocked consumers try next. */
const SENT_WITH = [
  'base_url',
  'credentials',
  'headers',
  'ca',
  'client_certificate',
  'timeout_ms',
  'max_in_flight',
  'rate_limit',
] as const;

async function update(
  tx: Sql,
  vault: Vault,
  id: string,
  patch: TargetPatch,
  refuse: (settings: RequestSettings) => void,
): Promise<Target | null> {
  const { rows } = await tx.query<Row>({
    text: 'select * from targets where id = $1 for update',
    values: [id],
  });
  const row = rows[0];
  if (row === undefined) return null;
  if (patch.signing_secret !== undefined && patch.signing_secret !== maskedSecret(row, vault)) {
    throw refuseField(
      '/signing_secret',
      "can't be changed here: leave it out, send it back masked, or rotate it",
    );
  }
  const stored = orUnreadable(() => openCredentials(row, vault));
  const credentials =
    patch.credentials === undefined ? stored : unmasked(patch.credentials, stored);
  const ca = patch.ca === undefined ? row.ca : patch.ca;
  const { base_url = row.base_url } = patch;
  const own = orUnreadable(() => openHeaders(row, vault));
  const headers =
    patch.headers === undefined
      ? (own ?? row.headers)
      : unmaskedHeaders(patch.headers, own ?? row.headers);
  const isUnread = own === null && patch.headers === undefined;
  const sealed = isUnread ? row : sealHeaders(id, headers, vault);
  const { client_certificate = null } = patch;
  refuse({
    base_url,
    headers,
    credentials: credentials ?? { type: 'none' },
    ca,
    client_certificate,
  });
  if (credentials === null || keepsSecret(patch.credentials, credentials)) {
    refuseElsewhere(credentials, base_url, row.base_url);
  }
  const kept = { sent: patch.headers, headers: isUnread ? null : headers };
  refuseHeadersElsewhere(kept, base_url, row.base_url);
  const keepsCertificate = patch.client_certificate === undefined;
  if (keepsCertificate) refuseCertificateElsewhere(row, base_url, row.base_url);
  const shown = keepsCertificate ? row : sealClientCertificate(id, client_certificate, vault);
  await tx.query({
    text: `
      update targets
         set name = $2, base_url = $3, credentials = $4, headers = $5, timeout_ms = $6,
             max_in_flight = $7, rate_limit = $8, metadata = $9, ca = $11, secret_headers = $12,
             client_certificate = $13, client_certificate_shown = $14, client_certificate_ends = $15,
             version = version + $10, updated_at = now(),
             moved_version = case when base_url = $3 then moved_version else version + 1 end
       where id = $1`,
    values: [
      id,
      patch.name ?? row.name,
      base_url,
      patch.credentials === undefined || credentials === null
        ? row.credentials
        : vault.seal(JSON.stringify(credentials), CREDENTIALS(id)),
      JSON.stringify(sealed.headers),
      patch.timeout_ms ?? row.timeout_ms,
      patch.max_in_flight ?? row.max_in_flight,
      patch.rate_limit === undefined ? row.rate_limit : patch.rate_limit,
      JSON.stringify(patch.metadata ?? row.metadata),
      SENT_WITH.some((field) => patch[field] !== undefined) ? 1 : 0,
      ca,
      sealed.secret_headers,
      ...certificateValues(shown),
    ],
  });
  return changed(tx, vault, id);
}

function certificateValues(row: Omit<CertificateRow, 'id'>): unknown[] {
  const { client_certificate, client_certificate_shown: shown, client_certificate_ends } = row;
  return [client_certificate, shown && JSON.stringify(shown), client_certificate_ends];
}

/** Whether the caller left the secret as it is stored, by not sending it or by sending its mask. */
function keepsSecret(sent: TargetPatch['credentials'], unsealed: Credentials): boolean {
  return sent === undefined || JSON.stringify(sent) !== JSON.stringify(unsealed);
}

/** Notifies running senders and returns the target as it is now. */
async function changed(tx: Sql, vault: Vault, id: string): Promise<Target> {
  await tx.query(`select pg_notify('${CHANNELS.consumers}', '')`);
  return toTarget((await find(tx, id))!, vault);
}

async function rotateSecret(
  tx: Sql,
  vault: Vault,
  id: string,
  expiresInS: number,
  seed: Seed,
): Promise<Target | null> {
  const { rows } = await tx.query<Row>({
    text: 'select * from targets where id = $1 for update',
    values: [id],
  });
  const [row] = rows;
  if (row === undefined) return null;
  const { secret, stored } = rotateSigningSecret(vault, row, { expiresInS, seed });
  if (stored !== null) {
    await tx.query({
      text: `
        update targets
           set signing_secret = $2, signing_secret_previous = $3,
               previous_expires_at = clock_timestamp() + make_interval(secs => $4),
               version = version + 1, updated_at = now()
         where id = $1`,
      values: [id, stored.secret, stored.previous, stored.previousSeconds],
    });
  }
  return { ...(await changed(tx, vault, id)), signing_secret: secret };
}

async function remove(tx: Sql, id: string): Promise<boolean> {
  // The row lock keeps a consumer with this target from being created meanwhile.
  const locked = await tx.query({
    text: 'select 1 from targets where id = $1 for update',
    values: [id],
  });
  if (locked.rowCount === 0) return false;
  const { rows } = await tx.query<{ id: string; name: string; total: number }>({
    text: `
      select id, name, count(*) over () as total from consumers
       where target_id = $1 and deleted_at is null
       order by created_at
       limit 20`,
    values: [id],
  });
  if (rows.length > 0) {
    const names = rows.map((one) => `${one.name} (${one.id})`).join(', ');
    const more = rows[0]!.total > rows.length ? ` and ${rows[0]!.total - rows.length} more` : '';
    throw new Refusal({
      status: 409,
      code: 'target_in_use',
      detail: `Target ${id} is used by ${names}${more}; delete these consumers or give them another target`,
      extra: { consumers: rows.map((one) => ({ id: one.id, name: one.name })) },
    });
  }
  await tx.query({ text: 'delete from targets where id = $1', values: [id] });
  return true;
}
