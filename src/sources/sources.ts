import { setTimeout as pause } from 'node:timers/promises';

import type { Db, Sql } from '../db/db.ts';
import type { ListPage, ListPlace } from '../db/keyset.ts';
import { refuseField } from '../db/refusal.ts';
import type { Seed } from '../db/seed.ts';
import type { Vault } from '../db/vault.ts';
import type { DatabaseSockets } from '../egress/databaseSocket.ts';
import { dropSql, slotOf } from '../rules/sourceNames.ts';
import type {
  ForgottenSource,
  Source,
  SourceDraft,
  SourceInput,
  SourcePatch,
  SourceProblem,
  SourceSnapshot,
  SourceStatus,
  SourceTest,
} from '../schema/source.ts';
import { createCheckpoints } from '../streams/checkpoints.ts';
import { checkpointsOf } from './checkpointNames.ts';
import type { TableName } from './postgres/databaseFacts.ts';
import { maskedUrl } from './postgres/sourceAddress.ts';
import { createEditSource } from './sourceEdit.ts';
import {
  needAddress,
  refuseDeleting,
  refuseTaken,
  refuseUnfit,
  unreadable,
} from './sourceRefusals.ts';
import {
  announce,
  deleteSource,
  insertSource,
  lockNames,
  readAnew,
  setStatus,
} from './sourceRows.ts';
import { openUrl, SOURCE_URL } from './sourceUrl.ts';
import { findSource, listProblems, listSources, toSource, type SourceQuery } from './sourceView.ts';
import { nameOfTable, readTableNames } from './tableName.ts';
import { toSourceTest, type InspectDatabase } from './testDatabase.ts';

/** Databases that are followed, as the API creates, shows and changes them. Nothing here changes anything in them. */
export interface Sources {
  /**
   * Creates a source that can be followed, and returns it; it is followed from then on. Refuses (422
   * `source_refused`) one that can't be, with all that keeps it from that. The same seed yields the same source, as it
   * is by then.
   */
  create(input: SourceInput, seed: Seed): Promise<Source>;
  get(id: string): Promise<Source | null>;
  /** A page of the sources that match, newest first. */
  list(query: SourceQuery): Promise<ListPage<Source>>;
  /** Replaces the given fields; refuses (422 `source_refused`) what would make following fail. */
  patch(id: string, patch: SourcePatch): Promise<Source | null>;
  /** Stops following; what comes meanwhile is kept in the database's log. Changes nothing when it is paused. */
  pause(id: string): Promise<Source | null>;
  /** Goes on following; after a failure as well. Changes nothing when it is active. */
  resume(id: string): Promise<Source | null>;
  /** Has tables read anew, or confirms what reading them anew would delete. */
  snapshot(id: string, wanted: SourceSnapshot): Promise<Source | null>;
  /**
   * Deletes a source once its slot and its publication are dropped, which its follower does. Returns `deleted` when that
   * was so within the time for it, else the source that is still to be deleted.
   */
  remove(id: string): Promise<'deleted' | Source | null>;
  /** Deletes a source without reaching its database; returns what is left there. */
  forget(id: string): Promise<ForgottenSource | null>;
  /** Looks at its database as it is now. */
  test(id: string): Promise<SourceTest | null>;
  /** Looks at a database that is not a source. */
  testDraft(draft: SourceDraft): Promise<SourceTest>;
  /** A page of what could not be turned into records; null when there is no such source. */
  problems(
    id: string,
    page: { limit: number; after: ListPlace | null },
  ): Promise<ListPage<SourceProblem> | null>;
}

export interface SourcesOptions {
  db: Db;
  vault: Vault;
  /** Whose workers follow the sources that are created. */
  region: string;
  sockets: Pick<DatabaseSockets, 'refusal'>;
  inspect: InspectDatabase;
  /** How long `remove` waits, ms. */
  removeMs?: number;
}

const REMOVE_MS = 10_000;
const LOOK_MS = 200;

/** Creates the store of sources. A database is reached before a transaction begins, never within one. */
export function createSources(options: SourcesOptions): Sources {
  const { db, vault, region, sockets, inspect, removeMs = REMOVE_MS } = options;

  async function create(input: SourceInput, { id }: Seed): Promise<Source> {
    const known = await findSource(db, id);
    if (known !== null) return toSource(known);
    const { name, url, ca, sync_id: syncId = id, expect_within: expectWithinS } = input;
    const address = needAddress(url, ca, sockets);
    const tables = readTableNames(input.tables);
    await refuseTaken(db, { id, name, syncId, tables });
    const slot = slotOf({ id, name });
    const names = { slot, publication: slot };
    refuseUnfit(await inspect(address, { tables, ...names, isOwn: false, withOthers: false }));
    const sealed = vault.seal(url, SOURCE_URL(id));
    const settings = { url: sealed, urlShown: maskedUrl(url), ca, expectWithinS };
    return db.transaction(async (tx) => {
      await lockNames(tx);
      const meanwhile = await findSource(tx, id);
      if (meanwhile !== null) return toSource(meanwhile);
      await refuseTaken(tx, { id, name, syncId, tables });
      await insertSource(tx, { id, name, syncId, region, ...names, settings, tables });
      return toSource((await findSource(tx, id))!);
    });
  }

  /** Runs a change of a source while no other one can change it; returns the source as it is afterwards. */
  function change(id: string, work: (tx: Sql, source: Source) => Promise<void>) {
    return db.transaction(async (tx): Promise<Source | null> => {
      await tx.query({ text: 'select from sources where id = $1 for update', values: [id] });
      const row = await findSource(tx, id);
      if (row === null) return null;
      await work(tx, toSource(row));
      return toSource((await findSource(tx, id))!);
    });
  }

  function turn(id: string, from: readonly SourceStatus[], to: SourceStatus) {
    return change(id, async (tx, source) => {
      refuseDeleting(id, source);
      if (from.includes(source.status)) await setStatus(tx, id, to);
    });
  }

  async function remove(id: string): Promise<'deleted' | Source | null> {
    const begun = await change(id, async (tx, { status }) => {
      if (status === 'deleting') await announce(tx, id);
      else await setStatus(tx, id, 'deleting');
    });
    if (begun === null) return null;
    const until = performance.now() + removeMs;
    for (;;) {
      await pause(LOOK_MS);
      const row = await findSource(db, id);
      if (row === null) return 'deleted';
      if (performance.now() >= until) return toSource(row);
    }
  }

  async function forget(id: string): Promise<ForgottenSource | null> {
    return db.transaction(async (tx) => {
      const row = await findSource(tx, id);
      if (row === null) return null;
      await deleteSource(tx, id);
      await createCheckpoints(tx).forget(checkpointsOf(id));
      const { slot, publication } = row;
      return { id, slot, publication, sql: dropSql(row) };
    });
  }

  async function test(id: string): Promise<SourceTest | null> {
    const row = await findSource(db, id);
    if (row === null) return null;
    const url = openUrl(row, vault);
    if (url === null) throw unreadable(id);
    const { slot, publication, tables, ca } = row;
    const asked = { tables, slot, publication, isOwn: true, withOthers: true };
    return toSourceTest(await inspect(needAddress(url, ca, sockets), asked));
  }

  async function testDraft(draft: SourceDraft): Promise<SourceTest> {
    const address = needAddress(draft.url, draft.ca, sockets);
    const asked = { slot: '', publication: '', isOwn: false, withOthers: true };
    return toSourceTest(await inspect(address, { tables: readTableNames(draft.tables), ...asked }));
  }

  return {
    create,
    get: async (id) => {
      const row = await findSource(db, id);
      return row === null ? null : toSource(row);
    },
    list: (query) => listSources(db, query),
    patch: createEditSource({ db, vault, sockets, inspect }),
    pause: (id) => turn(id, ['active', 'failed'], 'paused'),
    resume: (id) => turn(id, ['paused', 'failed'], 'active'),
    snapshot: (id, { tables, confirm = false }) =>
      change(id, async (tx, source) => {
        refuseDeleting(id, source);
        await readAnew(tx, id, namedOf(source, tables), confirm);
      }),
    remove,
    forget,
    test,
    testDraft,
    problems: async (id, page) =>
      (await findSource(db, id)) === null ? null : listProblems(db, id, page),
  };
}

/** The tables that are named, or all; refuses one that is not of the source. */
function namedOf(source: Source, names: readonly string[] | undefined): TableName[] {
  const own = source.tables.map(({ table }) => table);
  return readTableNames(names ?? own).map((one, index) => {
    if (own.includes(nameOfTable(one))) return one;
    throw refuseField(`/tables/${index}`, `is not a table of source ${source.id}`);
  });
}
