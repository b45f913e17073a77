import { inTurn, type Turn } from '../flow/turn.ts';
import type { ParkedStore } from '../progress/parkedRows.ts';
import type { ParkedEntries } from './parkedEntries.ts';

/** So many bodies are read at a time, and so much text of them. */
const AT_A_TIME = 200;
const BYTES = 4 * 1024 * 1024;

export interface ParkedRechecksOptions {
  consumerId: string;
  store: Pick<ParkedStore, 'bodies'>;
  parked: Pick<ParkedEntries, 'unasked' | 'ask'>;
  /** How long conditions are evaluated before other work gets its turn. */
  turn: Turn;
  /** How many entries are looked at; all unless given. */
  most?: number;
}

/**
 * Closes the parked entries that no longer satisfy the condition of the filter, whose bodies Postgres has. The command
 * that set the condition has done that with those that were stored by then.
 */
export async function recheckParked(options: ParkedRechecksOptions): Promise<void> {
  const { consumerId, store, parked, turn, most = Infinity } = options;
  const unasked = parked.unasked().slice(0, most);
  for (let next = 0; next < unasked.length;) {
    const asked = unasked.slice(next, next + AT_A_TIME);
    const positions = asked.map(({ entry }) => entry.position);
    const bodies = await store.bodies(consumerId, positions, BYTES);
    const leftOut = positions.findIndex((position) => bodies.get(position) === null);
    next += leftOut > 0 ? leftOut : asked.length;
    for (const one of asked) {
      const body = bodies.get(one.entry.position)?.body;
      if (body !== undefined) await inTurn(turn, () => parked.ask(one, body));
    }
  }
}
