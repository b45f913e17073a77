import { setTimeout as pause } from 'node:timers/promises';

import type { GroupStore } from './groupStore.ts';
import { formatLsn } from './postgres/lsn.ts';
import type { SetUp } from './setUp.ts';
import type { SourceDatabase } from './sourceDatabase.ts';
import type { Seen } from './sourceLeases.ts';
import { nameOfTable } from './tableName.ts';

/** What people see of a source while its log is followed. */
export interface Sightings {
  /** What was seen since this was asked last. */
  take: () => Seen;
  /**
   * Asks the database again and again how far its log is stored, until `signal` aborts; resolves when tables of the
   * source are not published any more.
   */
  measure(signal: AbortSignal): Promise<void>;
}

export interface SightingsOptions {
  setUp: Pick<SetUp, 'tables'>;
  store: Pick<GroupStore, 'place' | 'storingSince' | 'takeCounts' | 'progressOf'>;
  database: Pick<SourceDatabase, 'measure'>;
}

const MEASURE_MS = 1_500;

export function createSightings({ setUp, store, database }: SightingsOptions): Sightings {
  const tables = [...setUp.tables].map(([collection, { name }]) => ({ collection, name }));
  let measured: Seen['measured'] = null;

  function take(): Seen {
    const counts = store.takeCounts();
    const seen: Seen = {
      lsn: formatLsn(store.place.lsn),
      measured,
      tables: tables.map(({ collection, name: { schema, table } }) => ({
        schema,
        table,
        changes: counts.get(collection) ?? 0,
        rows: store.progressOf(collection).rows,
      })),
    };
    measured = null;
    return seen;
  }

  async function measure(signal: AbortSignal): Promise<void> {
    for (;;) {
      await pause(MEASURE_MS, undefined, { signal });
      const since = store.storingSince;
      const { isRead, lagBytes, limitBytes, nowMs, published } = await database.measure();
      const lagMs = since === null ? 0 : Math.max(0, nowMs - Date.parse(since));
      if (isRead) measured = { lagBytes, lagMs, limitBytes };
      if (tables.some(({ name }) => !published.has(nameOfTable(name)))) return;
    }
  }

  return { take, measure };
}
