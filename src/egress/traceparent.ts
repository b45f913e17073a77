import { randomFillSync } from 'node:crypto';

const pool = Buffer.alloc(24 * 256);
let used = pool.length;

/** Returns a new, sampled W3C traceparent (trace-context §3.2). Random bytes are drawn for 256 at a time. */
export function newTraceparent(): string {
  if (used === pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  const hex = pool.toString('hex', used, used + 24);
  used += 24;
  return `00-${hex.slice(0, 32)}-${hex.slice(32)}-01`;
}
