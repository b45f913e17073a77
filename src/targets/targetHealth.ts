import type { Health } from '../schema/fields.ts';

/** A target's health: `error` while a consumer of it is stopped, `warn` while one is blocked. */
export function targetHealth(blocked: number, stopped: number, now: Date): Health {
  const notes = [
    ...(stopped > 0 ? [ofItsConsumers(stopped, 'stopped')] : []),
    ...(blocked > 0 ? [ofItsConsumers(blocked, 'blocked')] : []),
  ];
  const status = stopped > 0 ? 'error' : blocked > 0 ? 'warn' : 'ok';
  return { status, notes, time: now.toISOString() };
}

function ofItsConsumers(count: number, state: string): string {
  return `${count} of its consumers ${count === 1 ? 'is' : 'are'} ${state}`;
}
