import { isDatabaseAway, isTimeout } from '../db/errors.ts';
import { CannotStart, WillPass, type StartFault } from '../rules/startFault.ts';

/**
 * The lasting fault that an error of a sender means. Null when the error will pass by itself and says nothing
 * about the consumer: Postgres is away or slow, this machine is short of something, or another sender has the
 * lease. An error without another explanation is a bug in Millrace; its text may hold data, so only its kind is
 * kept.
 */
export function startFaultOf(error: unknown): StartFault | null {
  if (error instanceof CannotStart) return { code: error.code, detail: error.message };
  if (error instanceof WillPass || isDatabaseAway(error) || isTimeout(error)) return null;
  const code = (error as { code?: unknown } | null)?.code;
  // 25: read-only; 40: rolled back, as by a deadlock; 42P01: the migrations are not applied yet.
  if (typeof code === 'string' && /^(?:25|40|42P01)/u.test(code)) return null;
  const kind = error instanceof Error ? error.name : typeof error;
  const which = typeof code === 'string' ? `${kind} ${code}` : kind;
  const detail =
    `An unexpected error in Millrace (${which}) ends the sender: ` +
    "report it with the worker's log, and go back to the previous version if it began with an upgrade";
  return { code: 'internal_error', detail };
}
