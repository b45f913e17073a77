/** Whether the error says that Postgres is away, restarting or out of connections, not that the query is wrong. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    // 08 connection, 53 resources, 57P admin/crash shutdown and starting up, 58 system error
    if (/^(08|53|57P|58)/u.test(code)) return true;
    if (/^E[A-Z]+$/u.test(code)) return true; // ECONNREFUSED and its kind
  }
  return /Connection terminated|timeout exceeded when trying to connect|not queryable|Client was closed/u.test(
    error.message,
  );
}

/** Postgres 57014 and 55P03: a statement or a lock that took too long, for example behind a disk that stalls. */
export function isTimeout(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '57014' || code === '55P03';
}

/** Postgres 53100 and 53200: its answer where the disk or the memory is full. */
export function isOutOfRoom(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '53100' || code === '53200';
}

/** Postgres 23514: no partition of relation "events" found for row. */
export function isPartitionMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error as { code?: unknown }).code === '23514' &&
    error.message.startsWith('no partition')
  );
}

/** A table that isn't there: the process is up before its migrations are in. */
export function isNotMigrated(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === '42P01';
}
