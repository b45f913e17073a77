import { isDatabaseAway } from '../../db/errors.ts';

/** How following a log has ended, and so what is to be done. */
export type LogEnding =
  /** It was told to stop. */
  | { kind: 'stopped' }
  /** Another session reads the slot, perhaps that of a process which was killed: try again soon. */
  | { kind: 'slot in use'; message: string }
  /** The slot is gone, and the log after the last place with it: create another one and read the tables again. */
  | { kind: 'slot lost'; message: string }
  /** The server has failed to decode its log. If a new session fails as well, only another slot helps. */
  | { kind: 'log unreadable'; message: string }
  /** The connection is lost: connect again. */
  | { kind: 'disconnected'; message: string };

/** What the catalog says of a slot. */
export type SlotState = 'missing' | 'lost' | 'kept';

const IN_USE = '55006';
/** An error within Postgres, such as `could not map filenumber … to relation OID`. */
const INTERNAL = 'XX000';
/** Codes of what only somebody can change: logins that are refused, rights that are missing, no such database. */
export const REFUSED = /^(?:28|3D000|42501)/u;
/** Codes of errors that a slot which is lost gives, among others that a slot which is kept gives as well. */
const PERHAPS_LOST = ['42704', '55000'];

/** Nothing came from the server for so long that the connection counts as lost. */
export class SilentServer extends Error {}

/**
 * What an error means that ended following a log; null for one that will come again until somebody changes something.
 * A slot is lost only when the catalog says so.
 */
export function endingOf(error: unknown, slot: SlotState | null): LogEnding | null {
  const { code, message } = error as { code?: unknown; message: string };
  if (code === IN_USE) return { kind: 'slot in use', message };
  if (slot === 'missing' || slot === 'lost') return { kind: 'slot lost', message };
  if (code === INTERNAL) return { kind: 'log unreadable', message };
  if (REFUSED.test(String(code))) return null;
  const isCut = error instanceof SilentServer || isDatabaseAway(error);
  return isCut ? { kind: 'disconnected', message } : null;
}

/** Whether the catalog has to be asked for the slot before it is known what an error means. */
export function isSlotDoubtful(error: unknown): boolean {
  return PERHAPS_LOST.includes(String((error as { code?: unknown }).code));
}

/** Asks for the state of the slot $1. An error on starting to read says less than the catalog. */
export const SLOT_STATE_SQL = `
  select coalesce(wal_status = 'lost', false) as is_lost
  from pg_catalog.pg_replication_slots
  where slot_name = $1`;

/** Turns the rows of `SLOT_STATE_SQL` into the state. */
export function toSlotState(rows: readonly { is_lost: boolean }[]): SlotState {
  const [slot] = rows;
  if (slot === undefined) return 'missing';
  return slot.is_lost ? 'lost' : 'kept';
}
