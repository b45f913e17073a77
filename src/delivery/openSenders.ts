import type { Logger } from 'pino';

import type { WebhookSender } from '../egress/webhookSender.ts';
import type { Outgoing } from '../failure/outgoing.ts';

/** The webhook sender in use, and those of earlier targets or paths that still have open requests. */
export interface OpenSenders {
  /** Sends with the sender in use. */
  send(slot: Outgoing): void;
  /**
   * Sends with the next sender from now on. What an earlier one has not begun to write ends unsent; it is closed once
   * its requests have ended.
   */
  replace(next: OpenOne, log: Logger): void;
  /** Ends the requests of all senders that have passed their deadlines. */
  sweep(now: number): void;
  /** Cuts every open request, because the lease is over. */
  cut(): void;
  /** Closes all senders. */
  close(log: Logger): void;
}

/** Opens a sender; it starts no request after `startBy`, monotonic ms. */
type OpenOne = (startBy: () => number) => WebhookSender<Outgoing>;

/**
 * Creates the senders, with one in use. Only that one starts requests, until `startBy` (monotonic ms; 0 once the drain
 * ends): a request may have waited for a token or a connection while a command came into force.
 */
export function createOpenSenders(first: OpenOne, startBy: () => number): OpenSenders {
  let current = open(first);
  let all = [current];

  function open(opens: OpenOne): WebhookSender<Outgoing> {
    const one = opens(() => (one === current ? startBy() : 0));
    return one;
  }

  /** Closes earlier senders whose requests have ended. */
  function prune(log: Logger): void {
    for (const one of all) if (one !== current && one.inFlight === 0) shut(one, log);
    all = all.filter((one) => one === current || one.inFlight > 0);
  }

  return {
    send: (slot) => current.send(slot, slot.attempt),
    replace: (next, log) => {
      current = open(next);
      all.push(current);
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
