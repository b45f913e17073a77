/** Postgres counts from 2000-01-01T00:00:00Z, in microseconds. */
export const POSTGRES_EPOCH_MS = 946_684_800_000;

const MICROSECONDS = 1_000n;

/** RFC 3339 of a time of Postgres' own clock, with all its microseconds. */
export function postgresTime(sinceEpoch: bigint): string {
  const micros = ((sinceEpoch % MICROSECONDS) + MICROSECONDS) % MICROSECONDS;
  const ms = Number((sinceEpoch - micros) / MICROSECONDS) + POSTGRES_EPOCH_MS;
  return `${new Date(ms).toISOString().slice(0, -1)}${String(micros).padStart(3, '0')}Z`;
}
