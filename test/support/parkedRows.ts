import type { ParkedHead } from '../../src/progress/parkedRows.ts';

/** A row of `parked` that is to be sent now, of a record of its own unless `more` says otherwise. */
export function parkedRow(position: number, more: Partial<ParkedHead> = {}): ParkedHead {
  return {
    position,
    message_id: `m-${position}`,
    sync_id: 's',
    collection_id: 'a:b',
    upstream_id: `u-${position}`,
    event: 'updated',
    traceparent: null,
    attempts: 3,
    parked_at: '2026-01-01T00:00:00Z',
    parked_ms: 0,
    failing_ms: null,
    due_ms: -1,
    last_failure: null,
    followed: false,
    ...more,
  };
}

/** What an entry was parked for: its endpoint answered 422. */
export const refusal = {
  code: 'HTTP_4XX',
  status: 422,
  detail: 'HTTP 422',
  at: '2026-01-01T00:00:00Z',
  response_head: null,
} as const;
