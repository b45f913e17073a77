import type { Logger } from 'pino';

import type { WebhookSender } from '../egress/webhookSender.ts';
import type { Outgoing } from '../failure/outgoing.ts';

/** The webhook sender in use, and those of earlier targets or paths that still have open requests. */
export interface OpenSenders {
  /** Sends with the sender in use. */
  send(slot: Outgoing): void;
  /** Uses `next` from now on; earlier senders are closed once their requests have ended. */
  replace(next: WebhookSender<Outgoing>, log: Logger): void;
  /** Ends the requests of all senders that have passed their deadlines. */
  sweep(now: number): void;
  /** Cuts every open request, because the lease is over. */
  cut(): void;
  /** Closes all senders. */
  close(log: Logger): void;
}

/** Creates the senders, with one in use. */
export function createOpenSenders(first: WebhookSender<Outgoing>): OpenSenders {
  let current = first;
  let all = [first];

  /** Closes earlier senders whose requests have ended. */
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
