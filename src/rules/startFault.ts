/** Lasting faults that keep a consumer from sending, by the names of the API. */
export const START_FAULT_CODES = [
  'credentials_unreadable',
  'signing_secret_unreadable',
  'certificate_unreadable',
  'url_unreadable',
  'filter_unreadable',
  'body_unreadable',
  'target_missing',
  'proxy_unreachable',
  'internal_error',
] as const;

/**
 * The kind of a lasting fault; `internal_error` is an exception without an explanation, which is a bug in
 * Millrace.
 */
export type StartFaultCode = (typeof START_FAULT_CODES)[number];

/** Whether a fault belongs neither to a consumer nor to its target, so that it concerns consumers of all targets. */
export function isOfAllTargets(code: string): boolean {
  return code === 'proxy_unreachable';
}

/** Why a consumer can't send. */
export interface StartFault {
  code: StartFaultCode;
  /** A sentence without its full stop that says what to do; it holds no secret. */
  detail: string;
}

/** An error that says which lasting fault it is. */
export class CannotStart extends Error {
  override name = 'CannotStart';
  readonly code: Exclude<StartFaultCode, 'internal_error'>;

  constructor(code: CannotStart['code'], detail: string, options: { cause?: unknown } = {}) {
    super(detail, options);
    this.code = code;
  }
}

/** An error that says that the next try may well succeed: a lease that was lost, or a fault of this machine. */
export class WillPass extends Error {
  override name = 'WillPass';
}

const FIRST_MS = 1_000;
const LONGEST_MS = 300_000;

/**
 * How long to wait until the next try, ms, when the consumer has not been able to send for `failingForMs`: as
 * long again, at least a second and at most five minutes. Tries caused by a person or an edit therefore do not
 * make the wait longer.
 */
export function startAgainInMs(failingForMs: number): number {
  return Math.min(LONGEST_MS, Math.max(FIRST_MS, Math.round(failingForMs)));
}

const TOLD_AFTER_MS = 3_000;

/**
 * Whether an alert is due: the fault has lasted for a few tries, and no alert has reported one with this code
 * since the consumer last worked.
 */
export function isAlertDue(
  code: StartFaultCode,
  { failingForMs, told }: { failingForMs: number; told: readonly string[] },
): boolean {
  return failingForMs >= TOLD_AFTER_MS && !told.includes(code);
}
