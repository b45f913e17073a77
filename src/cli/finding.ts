/** One result of the examination. */
export interface Finding {
  name: string;
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What it consists of, a sentence each; not there where `detail` says it all. */
  parts?: readonly string[];
  /** What to do about it; null when it is fine. */
  fix: string | null;
}

/** Clocks matter for signatures and Retry-After; beyond a minute, receivers begin to refuse webhooks. */
const SKEW = { warnMs: 2_000, failMs: 60_000 };

export const ok = (name: string, detail: string): Finding => ({
  name,
  status: 'ok',
  detail,
  fix: null,
});
export const warn = (name: string, detail: string, fix: string): Finding => ({
  name,
  status: 'warn',
  detail,
  fix,
});
export const fail = (name: string, detail: string, fix: string): Finding => ({
  name,
  status: 'fail',
  detail,
  fix,
});

/**
 * Compares a clock with this machine's, given this machine's times (unix ms) when its time was requested and
 * answered.
 */
export function skew(name: string, theirMs: number, sentMs: number, answeredMs: number): Finding {
  const outside = Math.max(sentMs - theirMs, theirMs - answeredMs, 0);
  const title = `Clock of ${name}`;
  const detail = `${(outside / 1_000).toFixed(1)} s from this machine's`;
  const fix = 'Run a time service (chrony, systemd-timesyncd) on both machines';
  if (outside > SKEW.failMs) return fail(title, detail, fix);
  return outside > SKEW.warnMs ? warn(title, detail, fix) : ok(title, detail);
}
