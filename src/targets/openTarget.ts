import { plainArray } from '../db/arrayLiteral.ts';
import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { Vault } from '../db/vault.ts';
import type { OAuthClient } from '../egress/oauth.ts';
import { newSigningSecret } from '../egress/signing.ts';
import type { ClientCertificateInput } from '../schema/clientCertificate.ts';
import type { TargetInput, Credentials } from '../schema/target.ts';
import { openClientCertificate, type CertificateRow } from './clientCertificate.ts';
import { secretsOf, toHeaders } from './credentials.ts';
import { openHeaders, secretsOfHeaders, type HeadersRow } from './secretHeaders.ts';
import {
  openCredentials,
  openPrevious,
  openSigningSecret,
  type SealedRow,
} from './targetSecrets.ts';

/** What a sender needs to know about a target, with its secrets unsealed. Never log it. */
export interface OpenTarget {
  id: string;
  version: number;
  baseUrl: string;
  /** Names are as they were written; the credentials are included. */
  headers: Record<string, string>;
  /** Secrets to mask in what the endpoint answers. */
  hidden: string[];
  /** The OAuth2 client whose token is sent with each request; null when there is none. */
  oauth: OAuthClient | null;
  /** PEM certificates to trust instead of the public authorities. */
  ca: string | null;
  /** What is shown to an endpoint that asks for a certificate. */
  clientCertificate: ClientCertificateInput | null;
  /** Signing secrets, the newest first. */
  secrets: string[];
  /** Unix ms until which the other secrets sign as well; null when there is only one. */
  previousUntil: number | null;
  timeoutMs: number;
  maxInFlight: number;
  rateLimit: number | null;
}

/**
 * Reads a target and unseals its secrets; null when there is no such target. Throws `CannotStart` when a part
 * of it can't be read.
 */
export async function openTarget(sql: Sql, vault: Vault, id: string): Promise<OpenTarget | null> {
  const { rows } = await sql.query<TargetRow>({
    name: 'open target',
    text: `${SELECT} = $1`,
    values: [id],
  });
  const row = rows[0];
  return row === undefined ? null : unseal(row, vault);
}

/** Opens targets, and keeps opened ones until they change. */
export interface TargetCache {
  /** The targets with these ids that exist, each opened, or with the error about the part that can't be read. */
  open(ids: readonly string[]): Promise<Map<string, OpenTarget | Error>>;
}

/** How many opened targets are kept. */
const KEPT = 20_000;

/** Creates an empty cache. Each call reads the rows; only unsealing is saved. */
export function createTargetCache(sql: Sql, vault: Vault): TargetCache {
  const kept = new Map<string, OpenTarget>();

  function openRow(row: TargetRow): OpenTarget | Error {
    const known = kept.get(row.id);
    if (known?.version === row.version) return known;
    try {
      const opened = unseal(row, vault);
      if (kept.size >= KEPT) kept.clear();
      kept.set(row.id, opened);
      return opened;
    } catch (error) {
      return error instanceof Error ? error : new Error('a target could not be opened');
    }
  }

  async function open(ids: readonly string[]): Promise<Map<string, OpenTarget | Error>> {
    const { rows } = await sql.query<TargetRow>({
      name: 'open targets',
      text: `${SELECT} = any($1::uuid[])`,
      values: [plainArray(ids)],
    });
    return new Map(rows.map((row) => [row.id, openRow(row)]));
  }

  return { open };
}

type TargetRow = Row & { id: string; previous_signs: boolean };

const SELECT = `
  select *, coalesce(previous_expires_at > clock_timestamp(), false) as previous_signs
    from targets where id`;

function unseal(row: TargetRow, vault: Vault): OpenTarget {
  const credentials = openCredentials(row, vault);
  const own = openHeaders(row, vault);
  const previous = openPrevious(row, vault);
  return {
    id: row.id,
    version: row.version,
    baseUrl: row.base_url,
    headers: headersOf(own, credentials),
    hidden: [...secretsOf(credentials), ...secretsOfHeaders(own)],
    oauth: credentials.type === 'oauth2' ? credentials : null,
    ca: row.ca,
    clientCertificate: openClientCertificate(row, vault),
    secrets: [openSigningSecret(row, vault), ...(previous === null ? [] : [previous.secret])],
    previousUntil: previous?.until ?? null,
    timeoutMs: row.timeout_ms,
    maxInFlight: row.max_in_flight,
    rateLimit: row.rate_limit,
  };
}

/** Turns the settings of a target that is not stored into one that can be sent to. */
export function openDraft(input: TargetInput): OpenTarget {
  return {
    id: newId(),
    version: 1,
    baseUrl: input.base_url,
    headers: headersOf(input.headers, input.credentials),
    hidden: [...secretsOf(input.credentials), ...secretsOfHeaders(input.headers)],
    oauth: input.credentials.type === 'oauth2' ? input.credentials : null,
    ca: input.ca,
    clientCertificate: input.client_certificate,
    secrets: [input.signing_secret ?? newSigningSecret()],
    previousUntil: null,
    timeoutMs: input.timeout_ms,
    maxInFlight: input.max_in_flight,
    rateLimit: input.rate_limit,
  };
}

/** A header of the credentials replaces one of the same name in any case. */
function headersOf(own: Record<string, string>, credentials: Credentials): Record<string, string> {
  const carried = toHeaders(credentials);
  const taken = new Set(Object.keys(carried).map((name) => name.toLowerCase()));
  const kept = Object.entries(own).filter(([name]) => !taken.has(name.toLowerCase()));
  return Object.fromEntries([...kept, ...Object.entries(carried)]);
}

/** A row of `targets`, with how many of its consumers are in which state where that was counted. */
export interface Row extends SealedRow, HeadersRow, CertificateRow {
  name: string;
  kind: 'webhook';
  base_url: string;
  ca: string | null;
  timeout_ms: number;
  max_in_flight: number;
  rate_limit: number | null;
  metadata: Record<string, unknown>;
  version: number;
  created_at: string;
  updated_at: string;
  /** Whether the replaced signing secret still signs, by the clock of Postgres. */
  previous_signs?: boolean;
  /** Whether something was sent to it, as far as that is counted or looked up. */
  tried?: boolean;
  active?: number;
  paused?: number;
  blocked?: number;
  stopped?: number;
  /** How many can't be sent to, how many of these are active, and why, each reason once. */
  faulty?: number;
  faulty_active?: number;
  faults?: string[] | null;
}
