import type { Logger } from 'pino';

import type { WebhookSender } from '../egress/webhookSender.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { Ending } from './ending.ts';

/** The webhook sender in use, and those of earlier targets or paths that still have open requests. */
export interface OpenSenders {
  /** Sends with the sender in use. */
  send(slot: Outgoing): void;
  /** Sends with the next sender from now on. Earlier ones are closed once their requests have ended. */
  replace(next: OpenOne): void;
  /**
   * Ends requests that wait for a token or a connection and may not start any more. Call it when a newer configuration
   * is in force, or the drain begins to end.
   */
  letGo(): void;
  /** Ends the requests of all senders that have passed their deadlines. */
  sweep(now: number): void;
  /** Cuts every open request, because the lease is over. */
  cut(): void;
  /** Closes all senders. */
  close(): void;
  /** How many bytes the bodies of open requests have more than their entries, which alone were counted when they were read. */
  readonly grown: number;
  /** Whether bodies of started requests are still to be made, so that it is not known how large they are. */
  readonly makes: boolean;
}

/** Opens a sender that does not start a request after `startBy`, monotonic ms. */
type OpenOne = (startBy: (slot: Outgoing) => number) => WebhookSender<Outgoing>;

export interface OpenSendersOptions {
  /** The time until which requests may start, monotonic ms. */
  startBy: () => number;
  /** Once it has begun, no request starts. */
  ending: Pick<Ending, 'reason'>;
  parked: Pick<ParkedEntries, 'wants'>;
  /** Called once the bodies are made that were to be made. */
  made: () => void;
  log: Logger;
}

/** Creates the senders, with one in use, which alone starts requests. */
export function createOpenSenders(first: OpenOne, options: OpenSendersOptions): OpenSenders {
  const { startBy, ending, parked, log } = options;
  let current = open(first);
  let all = [current];

  function open(opens: OpenOne): WebhookSender<Outgoing> {
    const one = opens((slot) => (one === current && isWanted(slot) ? startBy() : 0));
    return one;
  }

  /** Whether a request may still start that has waited while a command may have come into force. */
  function isWanted(slot: Outgoing): boolean {
    if (ending.reason !== null) return false;
    return slot.parked === null ? !slot.closed : parked.wants(slot.entry);
  }

  /** Closes earlier senders whose requests have ended. */
  function prune(): void {
    for (const one of all) if (one !== current && one.inFlight === 0) shut(one);
    all = all.filter((one) => one === current || one.inFlight > 0);
  }

  function shut(one: WebhookSender<Outgoing>): void {
    one.close().catch((error: unknown) => {
      log.warn({ err: error }, 'connections did not close cleanly');
    });
  }

  return {
    send: (slot) => {
      const isMaking = current.made !== null;
      current.send(slot, slot.attempt);
      if (!isMaking) void current.made?.then(options.made);
    },
    replace: (next) => {
      current = open(next);
      all.push(current);
    },
    letGo: () => {
      for (const one of all) one.letGo();
    },
    sweep: (now) => {
      for (const one of all) one.sweep(now);
      if (all.length > 1) prune();
    },
    cut: () => {
      for (const one of all) one.cut();
    },
    close: () => {
      for (const one of all) shut(one);
    },
    get grown() {
      let sum = 0;
      for (const one of all) sum += one.grown;
      return sum;
    },
    get makes() {
      return current.made !== null;
    },
  };
}
