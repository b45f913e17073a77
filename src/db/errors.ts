/** What an error of Postgres or of the connection to it means. `judgeDatabaseError` gives the reasons. */
export type DatabaseJudgement = 'away' | 'conflict' | 'slow' | 'fault';

/**
 * SQLSTATEs and what they mean; the first prefix that fits decides, and any other code is a fault. `away`:
 * nothing can be written there now, whatever the statement. `conflict`: another transaction was in the way,
 * this one was rolled back, and repeating it will succeed. `slow`: a statement was cancelled or waited too
 * long, was rolled back, and may succeed later.
 */
const SQLSTATES: [prefix: string, means: DatabaseJudgement][] = [
  ['08', 'away'], // connection exceptions, also those of a pooler between us and Postgres
  ['25006', 'away'], // read-only: a standby, or a primary that a provider has locked, for example when its disk is full
  ['25P03', 'away'], // the session was ended because its transaction was idle, for example in a frozen process
  ['25P04', 'away'], // the session was ended because its transaction took too long
  ['28', 'away'], // the login is refused, for example while a password is replaced
  ['3D000', 'away'], // the database does not exist, for example while it is restored
  ['40001', 'conflict'],
  ['40P01', 'conflict'], // a deadlock
  ['40003', 'away'], // it is unknown whether the statement was completed
  ['53', 'away'], // out of disk, memory or connections
  ['55006', 'slow'], // an object is in use by another session
  ['55P03', 'slow'], // a lock was not available in time
  ['57014', 'slow'], // cancelled, by the statement timeout or by an operator
  ['57P', 'away'], // shutting down, starting up, idle for too long, database dropped
  ['58', 'away'], // errors of the system outside Postgres
];

/** Errors of the operating system and of DNS that a connection can fail with. */
const NETWORK =
  /^(?:ECONN[A-Z]+|EPIPE|ETIMEDOUT|EHOST[A-Z]+|ENET[A-Z]+|ENOTFOUND|EAI_[A-Z]+|EADDRNOTAVAIL|EMFILE|ENFILE|ENOBUFS|EPROTO)$/u;
/** Errors of the TLS handshake: there is no connection. */
const TLS =
  /^(?:ERR_(?:TLS|SSL)_\w+|\w*CERT\w*|UNABLE_TO_\w+|HOSTNAME_MISMATCH|INVALID_CA|INVALID_PURPOSE)$/u;
/** Messages of the driver and its pool, which give no code. */
const DRIVER =
  /Connection terminated|timeout exceeded when trying to connect|timeout expired|Query read timeout|not queryable|Client was closed|server does not support SSL|establishing an SSL connection/u;

/**
 * Judges an error. `away`: Postgres is lost, restarting, read-only or out of resources, which is not the fault
 * of the caller; wait and try again. `conflict`: do the same again immediately. `slow`: it may succeed later.
 * `fault`: the statement or the data is wrong, or the error is not one of Postgres; repeating it changes
 * nothing.
 */
export function judgeDatabaseError(error: unknown): DatabaseJudgement {
  if (!(error instanceof Error)) return 'fault';
  const { code, severity, syscall } = error as Error & Record<string, unknown>;
  if (typeof code === 'string') {
    if (/^[0-9A-Z]{5}$/u.test(code) && !NETWORK.test(code)) return judgeSqlstate(code, severity);
    if (NETWORK.test(code) || TLS.test(code) || syscall === 'connect') return 'away';
  }
  if (DRIVER.test(error.message)) return 'away';
  if (error instanceof AggregateError && error.errors.some(isDatabaseAway)) return 'away';
  return error.cause === undefined ? 'fault' : judgeDatabaseError(error.cause);
}

function judgeSqlstate(code: string, severity: unknown): DatabaseJudgement {
  const known = SQLSTATES.find(([prefix]) => code.startsWith(prefix));
  if (known !== undefined) return known[1];
  return severity === 'FATAL' || severity === 'PANIC' ? 'away' : 'fault'; // these end the session
}

/** Whether Postgres is away, restarting, read-only or out of resources, rather than the query being wrong. */
export function isDatabaseAway(error: unknown): boolean {
  return judgeDatabaseError(error) === 'away';
}

/** Whether repeating the same may succeed, now or later: true for any error but a fault. */
export function mayBeRepeated(error: unknown): boolean {
  return judgeDatabaseError(error) !== 'fault';
}

/** Whether Postgres rolled a transaction back because of another one, so that it succeeds when it is repeated. */
export function isConflict(error: unknown): boolean {
  return judgeDatabaseError(error) === 'conflict';
}

/** Whether a statement or a lock took too long or was cancelled, for example because the disk stalls. */
export function isTimeout(error: unknown): boolean {
  return judgeDatabaseError(error) === 'slow';
}

/** Whether a lock could not be had within `lock_timeout` (55P03). */
export function isLockTimeout(error: unknown): boolean {
  return codeOf(error) === '55P03';
}

/** Whether the server at the other end of this connection accepts no writes (25006). */
export function isReadOnly(error: unknown): boolean {
  return codeOf(error) === '25006';
}

/** Whether Postgres has answered that its disk or its memory is full (53100, 53200). */
export function isOutOfRoom(error: unknown): boolean {
  const code = codeOf(error);
  return code === '53100' || code === '53200';
}

/** Whether a row was refused because its partition does not exist yet (23514). */
export function isPartitionMissing(error: unknown): boolean {
  return (
    error instanceof Error && codeOf(error) === '23514' && error.message.startsWith('no partition')
  );
}

/** Whether a table does not exist (42P01), for example before the migrations have been applied. */
export function isNotMigrated(error: unknown): boolean {
  return error instanceof Error && codeOf(error) === '42P01';
}

function codeOf(error: unknown): unknown {
  return (error as { code?: unknown } | null)?.code;
}

/**
 * Whether a statement was refused because of its values (SQLSTATE 22) or a constraint (23), so that repeating
 * the same statement cannot succeed. A partition that is missing will exist soon.
 */
export function isRefusedForGood(error: unknown): boolean {
  const code = codeOf(error);
  return typeof code === 'string' && /^2[23]/u.test(code) && !isPartitionMissing(error);
}
