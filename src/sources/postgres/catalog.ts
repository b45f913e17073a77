import pg from 'pg';

import { toTypeRow, TYPES_SQL, type TypeRow, type TypesSqlRow } from './columnType.ts';
import { SLOT_STATE_SQL, toSlotState, type SlotState } from './logEnding.ts';
import type { Lsn } from './lsn.ts';
import { SLOT_PLACE_SQL, toSlotPlace, type SlotPlaceRow } from './slotPlace.ts';
import type { SourceConfig } from './sourceConfig.ts';

/** Questions to the catalog of a source while its log is read, which a replication connection can't answer. */
export interface Catalog {
  types(ids: readonly number[]): Promise<TypeRow[]>;
  slotState(slot: string): Promise<SlotState>;
  /** Where its log begins; null: there is no such slot. */
  slotPlace(slot: string): Promise<Lsn | null>;
}

const CONNECT_MS = 10_000;
const ANSWER_MS = 30_000;

/** Opens a connection for each question: there are few, and none stays open in the user's database. */
export function createCatalog(config: SourceConfig): Catalog {
  async function ask<R extends pg.QueryResultRow>(text: string, values: unknown[]): Promise<R[]> {
    const client = new pg.Client({
      connectionTimeoutMillis: CONNECT_MS,
      query_timeout: ANSWER_MS,
      ...config,
    });
    client.on('error', () => undefined); // its query fails as well
    await client.connect();
    try {
      return (await client.query<R>(text, values)).rows;
    } finally {
      await client.end();
    }
  }

  return {
    types: async (ids) => (await ask<TypesSqlRow>(TYPES_SQL, [ids])).map(toTypeRow),
    slotState: async (slot) => toSlotState(await ask<{ is_lost: boolean }>(SLOT_STATE_SQL, [slot])),
    slotPlace: async (slot) => toSlotPlace(await ask<SlotPlaceRow>(SLOT_PLACE_SQL, [slot])),
  };
}
