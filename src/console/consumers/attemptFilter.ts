import { textOf, wordOf } from '../search.ts';

/** Which deliveries are shown, as the address has it; times are RFC 3339, or how long ago: `1h`. */
export interface AttemptFilter {
  outcome?: string;
  status?: string;
  /** A record's exact id. */
  record?: string;
  /** A `webhook-id`: of an event, or of a batch. */
  event?: string;
  since?: string;
  until?: string;
}

const NAMES = ['outcome', 'status', 'record', 'event', 'since', 'until'] as const;

/** The changes to a filter; undefined: to be removed. Two changes at the same moment must both count. */
export type FilterChange = { [name in (typeof NAMES)[number]]?: string | undefined };

/** The change that removes all filters. */
export const NO_FILTER: FilterChange = Object.fromEntries(NAMES.map((name) => [name, undefined]));

/** The parts of the address that filter, without the missing ones. */
export function filterIn(search: FilterChange): AttemptFilter {
  const found = NAMES.map((name) => [name, search[name]] as const);
  return Object.fromEntries(found.filter(([, value]) => value !== undefined && value !== ''));
}

/** The parts of any address that filter; a word that is not an outcome does not count. */
export function filterSearch(search: Record<string, unknown>): AttemptFilter {
  const texts = Object.fromEntries(NAMES.map((name) => [name, textOf(search, name)]));
  return filterIn({ ...texts, outcome: wordOf(search, 'outcome', ['delivered', 'failed']) });
}

/** The same in the form that the API accepts, without values that are incomplete or can't be right yet. */
export function askedOf(filter: AttemptFilter): Record<string, string> {
  const { outcome, status = '', record, event, since, until } = filter;
  const asked = {
    outcome,
    status: /^[1-5]\d\d$/u.test(status) ? status : undefined,
    upstream_id: record,
    [event?.startsWith('batch_') === true ? 'batch_id' : 'event_id']: event,
    since: isTime(since) ? since : undefined,
    until: isTime(until) ? until : undefined,
  };
  return Object.fromEntries(
    Object.entries(asked).filter((entry): entry is [string, string] => entry[1] !== undefined),
  );
}

/** The time spans up to now that can be chosen. */
export const SPANS = ['15m', '1h', '6h', '24h', '7d'] as const;

function isTime(text: string | undefined): boolean {
  if (text === undefined) return false;
  return /^\d{1,4}[smhd]$/u.test(text) || !Number.isNaN(Date.parse(text));
}

/** When a time span up to `now`, or a time, begins, unix ms; null for anything else. */
export function beginOf(since: string | undefined, now: number): number | null {
  const [, count, unit] = /^(\d{1,4})([smhd])$/u.exec(since ?? '') ?? [];
  if (unit !== undefined) return now - Number(count) * (UNITS[unit] ?? 0);
  const at = Date.parse(since ?? '');
  return Number.isNaN(at) ? null : at;
}

const UNITS: Record<string, number> = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };
