import type { Vault } from '../db/vault.ts';
import type { Target } from '../schema/target.ts';
import { shownCertificate } from './clientCertificate.ts';
import { mask, masked, UNREADABLE } from './credentials.ts';
import { idnHostsOf } from './idnHosts.ts';
import type { Row } from './openTarget.ts';
import { maskedHeaders, openHeaders } from './secretHeaders.ts';
import { targetHealth } from './targetHealth.ts';
import { openCredentials, openSigningSecret } from './targetSecrets.ts';
import { unreadableSecrets } from './unreadableSecrets.ts';
import { orUnreadable } from './unseal.ts';

/** The signing secret as the API shows it; all of it is masked when it can't be read. */
export function maskedSecret(row: Row, vault: Vault): string {
  return mask(orUnreadable(() => openSigningSecret(row, vault)) ?? '');
}

/** A target as the API shows it. A part that can't be read is shown as such, and does not break the list. */
export function toTarget(row: Row, vault: Vault): Target {
  const credentials = orUnreadable(() => openCredentials(row, vault));
  const shown = credentials === null ? UNREADABLE : masked(credentials);
  const unreadable = unreadableSecrets(row, vault);
  const notes = unreadable.map(({ note }) => note);
  return {
    id: row.id,
    name: row.name,
    kind: row.kind,
    base_url: row.base_url,
    credentials: shown,
    headers: maskedHeaders(orUnreadable(() => openHeaders(row, vault)) ?? row.headers),
    ca: row.ca,
    client_certificate: shownCertificate(row),
    signing_secret: maskedSecret(row, vault),
    idn_hosts: idnHostsOf({ base_url: row.base_url, credentials: shown }),
    timeout_ms: row.timeout_ms,
    max_in_flight: row.max_in_flight,
    rate_limit: row.rate_limit,
    unreadable: unreadable.map(({ secret }) => secret),
    health: targetHealth(row, notes, new Date()),
    tried: row.tried ?? false,
    consumers: {
      active: row.active ?? 0,
      paused: row.paused ?? 0,
      blocked: row.blocked ?? 0,
      stopped: row.stopped ?? 0,
      cannot_start: {
        active: row.faulty_active ?? 0,
        blocked: (row.faulty ?? 0) - (row.faulty_active ?? 0),
      },
    },
    metadata: row.metadata,
    created_at: row.created_at,
    updated_at: row.updated_at,
  };
}
