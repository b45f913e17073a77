import type { Logger } from 'pino';

import type { WebhookSender } from '../egress/webhookSender.ts';
import type { Outgoing } from '../failure/outgoing.ts';

/** The sender in use, and those of an earlier target or path that still have requests open. */
export interface OpenSenders {
  send(slot: Outgoing): void;
  replace(next: WebhookSender<Outgoing>, log: Logger): void;
  sweep(now: number): void;
  /** Cuts every open request: the lease is over. */
  cut(): void;
  close(log: Logger): void;
}

export function createOpenSenders(first: WebhookSender<Outgoing>): OpenSenders {
  let current = first;
  let all = [first];

  /** Those of an earlier target or path whose requests have ended. */
  function prune(log: Logger): void {
    for (const one of all) if (one !== current && one.inFlight === 0) shut(one, log);
    all = all.filter((one) => one === current || one.inFlight > 0);
  }

  return {
    send: (slot) => current.send(slot, slot.attempt),
    replace: (next, log) => {
      current = next;
      all.push(next);
      prune(log);
    },
    sweep: (now) => {
      for (const one of all) one.sweep(now);
    },
    cut: () => {
      for (const one of all) one.cut();
    },
    close: (log) => {
      for (const one of all) shut(one, log);
    },
  };
}

function shut(one: WebhookSender<Outgoing>, log: Logger): void {
  one.close().catch((error: unknown) => {
    log.warn({ err: error }, 'connections did not close cleanly');
  });
}
