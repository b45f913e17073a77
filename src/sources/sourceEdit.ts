import type { Db, Sql } from '../db/db.ts';
import { Refusal } from '../db/refusal.ts';
import type { Vault } from '../db/vault.ts';
import type { DatabaseSockets } from '../egress/databaseSocket.ts';
import type { Source, SourcePatch } from '../schema/source.ts';
import type { TableName } from './postgres/databaseFacts.ts';
import { maskedUrl, nameSameDatabase, unmaskedUrl } from './postgres/sourceAddress.ts';
import {
  needAddress,
  refuseDeleting,
  refuseOther,
  refuseTaken,
  refuseUnfit,
  unreadable,
} from './sourceRefusals.ts';
import { lockNames, updateSource, type SourceSettings } from './sourceRows.ts';
import { openUrl, SOURCE_URL } from './sourceUrl.ts';
import { findSource, toSource, type SourceRow } from './sourceView.ts';
import { nameOfTable, readTableNames } from './tableName.ts';
import type { InspectDatabase } from './testDatabase.ts';

export interface EditDeps {
  db: Db;
  vault: Vault;
  sockets: Pick<DatabaseSockets, 'refusal'>;
  inspect: InspectDatabase;
}

/** What may be changed of a source that is being deleted, as its slot is still to be dropped. */
const WAY = new Set(['url', 'ca']);

/** Replaces the given fields of a source; null when there is none. */
export type EditSource = (id: string, patch: SourcePatch) => Promise<Source | null>;

/**
 * Creates the edit of sources. What an edit adds is looked at in the database before it is stored: an edit that would
 * make following fail is refused, and one that only takes away, or renames, needs no database.
 */
export function createEditSource({ db, vault, sockets, inspect }: EditDeps): EditSource {
  return async (id, patch) => {
    const row = await findSource(db, id);
    if (row === null) return null;
    if (Object.keys(patch).some((field) => !WAY.has(field))) refuseDeleting(id, row);
    const plan = planOf(row, patch, openUrl(row, vault));
    await refuseTaken(db, { id, name: plan.name, syncId: row.sync_id, tables: plan.added });
    if (plan.url !== null) await look(row, plan, plan.url);
    const settings = { ...plan.settings, ...sealed(id, plan) };
    return db.transaction(async (tx) => {
      await lockNames(tx);
      await needUnchanged(tx, row);
      await refuseTaken(tx, { id, name: plan.name, syncId: row.sync_id, tables: plan.added });
      await updateSource(tx, id, { ...plan, settings });
      return toSource((await findSource(tx, id))!);
    });
  };

  /** Looks at what is new: all tables at another address, else those that are added. */
  async function look(row: SourceRow, plan: Plan, url: string): Promise<void> {
    const address = needAddress(url, plan.settings.ca, sockets);
    const { slot, publication } = row;
    const isLeaving = row.status === 'deleting';
    const wanted = plan.isElsewhere ? plan.tables : plan.added;
    const tables = isLeaving ? [] : wanted;
    const seen = await inspect(address, {
      tables,
      slot,
      publication,
      isOwn: true,
      withOthers: false,
    });
    if (!isLeaving || seen.kind === 'unreachable') refuseUnfit(seen);
    const isFollowed = row.last_lsn !== null;
    if (isFollowed && !nameSameDatabase(url, row.url_shown)) refuseOther(seen, slot, row.sync_id);
  }

  function sealed(id: string, { url, isElsewhere }: Plan): Partial<SourceSettings> {
    if (url === null || !isElsewhere) return {};
    return { url: vault.seal(url, SOURCE_URL(id)), urlShown: maskedUrl(url) };
  }
}

interface Plan {
  name: string;
  /** With the URL as it is stored. */
  settings: SourceSettings;
  /** The URL to look at, with its password; null when there is nothing to look at. */
  url: string | null;
  /** Whether the URL or the certificates are others than those that are stored. */
  isElsewhere: boolean;
  tables: readonly TableName[];
  added: TableName[];
  removed: TableName[];
  mends: boolean;
}

/** `stored` is the URL with its password; null when it can't be read. */
function planOf(row: SourceRow, patch: SourcePatch, stored: string | null): Plan {
  const url = patch.url === undefined ? stored : unmaskedUrl(patch.url, stored);
  const ca = patch.ca === undefined ? row.ca : patch.ca;
  const own = row.tables.map(({ schema, table }): TableName => ({ schema, table }));
  const tables = patch.tables === undefined ? own : readTableNames(patch.tables);
  const added = without(tables, own);
  const removed = without(own, tables);
  const isElsewhere = url !== stored || ca !== row.ca;
  const looks = isElsewhere || added.length > 0;
  if (looks && url === null) throw unreadable(row.id);
  return {
    name: patch.name ?? row.name,
    settings: {
      url: row.url,
      urlShown: row.url_shown,
      ca,
      expectWithinS: patch.expect_within === undefined ? row.expect_within_s : patch.expect_within,
    },
    url: looks ? url : null,
    isElsewhere,
    tables,
    added,
    removed,
    mends: looks || removed.length > 0,
  };
}

function without(tables: readonly TableName[], others: readonly TableName[]): TableName[] {
  const names = new Set(others.map(nameOfTable));
  return tables.filter((one) => !names.has(nameOfTable(one)));
}

/** Refuses an edit of what was changed while the database was looked at; keeps it from being changed from now on. */
async function needUnchanged(tx: Sql, { id, version }: SourceRow): Promise<void> {
  const { rows } = await tx.query<{ version: number }>({
    text: 'select version from sources where id = $1 for update',
    values: [id],
  });
  if (rows[0]?.version === version) return;
  throw new Refusal({
    status: 409,
    code: 'source_changed',
    detail: `Source ${id} was changed or deleted at the same time: look at it, and send the change again if it is still right`,
  });
}
