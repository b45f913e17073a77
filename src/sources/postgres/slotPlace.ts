import { parseLsn, type Lsn } from './lsn.ts';

/** Asks where the log of the slot $1 begins; what was before has been forgotten. */
export const SLOT_PLACE_SQL = `
  select confirmed_flush_lsn::text as lsn from pg_catalog.pg_replication_slots
   where slot_name = $1 and confirmed_flush_lsn is not null`;

export interface SlotPlaceRow {
  lsn: string;
}

/** Turns the rows of `SLOT_PLACE_SQL` into the place; null: there is no such slot. */
export function toSlotPlace([row]: readonly SlotPlaceRow[]): Lsn | null {
  return row === undefined ? null : parseLsn(row.lsn);
}
