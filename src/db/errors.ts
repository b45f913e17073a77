/** Whether Postgres is away, restarting or out of resources, rather than the query being wrong. */
export function isDatabaseAway(error: unknown): boolean {
  if (!(error instanceof Error)) return false;
  const code = (error as { code?: unknown }).code;
  if (typeof code === 'string') {
    // 08: connection; 53: resources; 57P: shutting down or starting up; 58: system error.
    if (/^(08|53|57P|58)/u.test(code)) return true;
    if (/^E[A-Z]+$/u.test(code)) return true; // errors of the operating system, such as ECONNREFUSED
  }
  return /Connection terminated|timeout exceeded when trying to connect|not queryable|Client was closed/u.test(
    error.message,
  );
}

/** Whether a statement or a lock took too long (57014, 55P03), for example because the disk stalls. */
export function isTimeout(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '57014' || code === '55P03';
}

/** Whether Postgres has answered that its disk or its memory is full (53100, 53200). */
export function isOutOfRoom(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return code === '53100' || code === '53200';
}

/** Whether a row was refused because its partition does not exist yet (23514). */
export function isPartitionMissing(error: unknown): boolean {
  return (
    error instanceof Error &&
    (error as { code?: unknown }).code === '23514' &&
    error.message.startsWith('no partition')
  );
}

/** Whether a table does not exist (42P01), as before the migrations have been applied. */
export function isNotMigrated(error: unknown): boolean {
  return error instanceof Error && (error as { code?: unknown }).code === '42P01';
}

/**
 * Whether a statement was refused for what its values are (SQLSTATE 22) or for a constraint (23), so that the
 * same statement cannot pass by being repeated. A partition that is missing will be there soon.
 */
export function isRefusedForGood(error: unknown): boolean {
  const code = (error as { code?: unknown } | null)?.code;
  return typeof code === 'string' && /^2[23]/u.test(code) && !isPartitionMissing(error);
}
