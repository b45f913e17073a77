/** One line of the examination. */
export interface Finding {
  name: string;
  status: 'ok' | 'warn' | 'fail';
  detail: string;
  /** What to do about it; null when it is fine. */
  fix: string | null;
}

/** Of signatures and Retry-After; beyond a minute receivers begin to refuse. */
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

/** How far a clock is from ours, given when it was asked and answered. */
export function skew(name: string, theirMs: number, askedMs: number, answeredMs: number): Finding {
  const outside = Math.max(askedMs - theirMs, theirMs - answeredMs, 0);
  const title = `Clock of ${name}`;
  const detail = `${(outside / 1_000).toFixed(1)} s from this machine's`;
  const fix = 'Run a time service (chrony, systemd-timesyncd) on both machines';
  if (outside > SKEW.failMs) return fail(title, detail, fix);
  return outside > SKEW.warnMs ? warn(title, detail, fix) : ok(title, detail);
}
