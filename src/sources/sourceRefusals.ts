import type { Sql } from '../db/db.ts';
import { Refusal, refuseField } from '../db/refusal.ts';
import { certificatesFault } from '../egress/certificates.ts';
import type { DatabaseSockets } from '../egress/databaseSocket.ts';
import type { SourceStatus } from '../schema/source.ts';
import type { TableName } from './postgres/databaseFacts.ts';
import type { Finding } from './postgres/inspection.ts';
import { readAddress, type SourceAddress } from './postgres/sourceAddress.ts';
import { findSharer, isNameTaken } from './sourceRows.ts';
import { nameOfTable } from './tableName.ts';
import type { Inspection } from './testDatabase.ts';

/** Reads a URL and certificates; refuses (422) what can't be used, and an address that may not be reached. */
export function needAddress(
  url: string,
  ca: string | null,
  sockets: Pick<DatabaseSockets, 'refusal'>,
): SourceAddress {
  const fault = ca === null ? null : certificatesFault(ca);
  if (fault !== null) throw refuseField('/ca', fault);
  const address = readAddress(url, ca);
  const why = sockets.refusal(address.host, address.port);
  if (why === null) return address;
  const pointer = '/url';
  throw new Refusal({
    status: 422,
    code: 'address_refused',
    detail: `${pointer} leads elsewhere than it may: ${why}`,
    pointer,
  });
}

/** Refuses a name that another source has (409), and a table whose records another one appends to the same sync (422). */
export async function refuseTaken(
  sql: Sql,
  source: { id: string; name: string; syncId: string; tables: readonly TableName[] },
): Promise<void> {
  const { id, name, syncId, tables } = source;
  if (await isNameTaken(sql, id, name)) {
    throw new Refusal({
      status: 409,
      code: 'name_taken',
      detail: `There is a source named ${JSON.stringify(name)} already`,
      pointer: '/name',
    });
  }
  const sharer = await findSharer(sql, id, { syncId, tables });
  if (sharer === null) return;
  throw refuseField(
    '/sync_id',
    `must be another one: the source ${JSON.stringify(sharer.name)} appends the records of ${nameOfTable(sharer)} to the sync ${syncId} already`,
  );
}

/** Refuses (422) a database or tables that can't be followed, with everything that was found. */
export function refuseUnfit(inspection: Inspection): void {
  const isAway = inspection.kind === 'unreachable';
  const findings = isAway ? [inspection.fault] : inspection.findings;
  if (findings.length > 0) throw unfit(findings);
}

/** Refuses (422) a database that is not the one that has been followed: the slot would be left behind in that one. */
export function refuseOther(inspection: Inspection, slot: string, syncId: string): void {
  if (inspection.kind === 'seen' && inspection.hasSlot) return;
  throw unfit([
    {
      table: null,
      problem: `The database does not have the slot ${slot}, so it is another one than has been followed.`,
      advice: `Delete this source, and add the other database as a source with the sync_id ${syncId}: what is equal in it is not sent again.`,
    },
  ]);
}

function unfit(findings: readonly Finding[]): Refusal {
  const [first] = findings;
  const more = findings.length > 1 ? ` (and ${findings.length - 1} more)` : '';
  return new Refusal({
    status: 422,
    code: 'source_refused',
    detail: `${first?.problem} ${first?.advice}${more}`,
    extra: { findings },
  });
}

/** Refuses (409) a command for a source that is being deleted. */
export function refuseDeleting(id: string, { status }: { status: SourceStatus }): void {
  if (status !== 'deleting') return;
  throw new Refusal({
    status: 409,
    code: 'wrong_status',
    detail: `Source ${id} is being deleted`,
  });
}

/** The refusal (409) where the stored URL is needed and can't be read. */
export function unreadable(id: string): Refusal {
  return new Refusal({
    status: 409,
    code: 'source_unreadable',
    detail: `None of the encryption keys opens the URL of source ${id}: save it again with its password, or add back the key that sealed it`,
  });
}
