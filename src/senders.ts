import type { Logger } from 'pino';

import type { Sender } from './sender.ts';
import type { Sent } from './shared.ts';

/** The sender in use, and those of an earlier target or path that still have requests open. */
export interface Senders {
  send(slot: Sent): void;
  replace(next: Sender<Sent>): void;
  sweep(now: number): void;
  /** Cuts every open request: the lease is over. */
  cut(): void;
  close(log: Logger): void;
}

export function createSenders(first: Sender<Sent>): Senders {
  let current = first;
  const all = [first];
  return {
    send: (slot) => current.send(slot, slot.attempt),
    replace: (next) => {
      current = next;
      all.push(next);
    },
    sweep: (now) => {
      for (const one of all) one.sweep(now);
    },
    cut: () => {
      for (const one of all) one.cut();
    },
    close: (log) => {
      Promise.all(all.map((one) => one.close())).catch((error: unknown) => {
        log.warn({ err: error }, 'connections did not close cleanly');
      });
    },
  };
}
