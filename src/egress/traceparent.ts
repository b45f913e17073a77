import { randomFillSync } from 'node:crypto';

const TRACE_ID_BYTES = 16;
const SPAN_ID_BYTES = 8;
const pool = Buffer.alloc((TRACE_ID_BYTES + SPAN_ID_BYTES) * 256);
let used = pool.length;

/**
 * Returns the W3C traceparent of an attempt (trace-context §3.2), with a new span id: in the trace of `parent`, with its
 * flags, or else in a new, sampled one.
 */
export function newTraceparent(parent: string | null = null): string {
  if (parent === null) return `00-${randomHex(TRACE_ID_BYTES)}-${randomHex(SPAN_ID_BYTES)}-01`;
  return `${parent.slice(0, 36)}${randomHex(SPAN_ID_BYTES)}${parent.slice(52)}`;
}

/** Random bytes are drawn for 256 new traces at a time. */
function randomHex(bytes: number): string {
  if (used + bytes > pool.length) {
    randomFillSync(pool);
    used = 0;
  }
  used += bytes;
  return pool.toString('hex', used - bytes, used);
}
