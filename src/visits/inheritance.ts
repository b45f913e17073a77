import { LEASE_ENDED } from '../egress/exchange.ts';
import type { OnAttemptEnd, WebhookSender } from '../egress/webhookSender.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { Outcome } from '../rules/outcome.ts';

/** How a request has ended. */
interface Ended {
  outcome: Outcome;
  at: number;
  ms: number;
  mono: number;
}

/**
 * Everything that a drain takes over from a quiet sender: its connections to the endpoint, and the request that
 * it has begun, which may have ended meanwhile. When the drain sends that entry, it gets the outcome of this
 * request. If the drain does not send the entry, because a newer version of its record has come, it sends
 * nothing else before the request has ended.
 */
export class Inheritance implements WebhookSender<Outgoing> {
  readonly #sender: WebhookSender<Outgoing>;
  readonly #leaseStartBy: () => number;
  readonly #over = Promise.withResolvers<void>();
  #begun: Outgoing | null;
  #result: Ended | null = null;
  /** The slot of the drain for which the request counts. */
  #slot: Outgoing | null = null;
  #landed: OnAttemptEnd<Outgoing> | null = null;
  #startBy: (() => number) | null = null;
  /** What the drain wants to send while it does not know of the request yet. */
  #waiting: { slot: Outgoing; attempt: number }[] = [];

  /** `leaseStartBy`: the time until which the lease allows a request to start, monotonic ms. */
  constructor(sender: WebhookSender<Outgoing>, begun: Outgoing | null, leaseStartBy: () => number) {
    this.#sender = sender;
    this.#leaseStartBy = leaseStartBy;
    this.#begun = begun;
    if (begun === null) this.#over.resolve();
  }

  /** Hands everything over to a drain, whose callbacks these are. */
  takenBy(landed: OnAttemptEnd<Outgoing>, startBy: () => number): WebhookSender<Outgoing> {
    this.#landed = landed;
    this.#startBy = startBy;
    return this;
  }

  /** The time until which a request may start, monotonic ms: once a drain has taken over, that of the drain. */
  get startBy(): number {
    return (this.#startBy ?? this.#leaseStartBy)();
  }

  /** Whether the request has failed at the endpoint. */
  get hasFailed(): boolean {
    return this.#result?.outcome.kind === 'failed';
  }

  /** Resolves once the drain itself waits for the request, or the request has ended. */
  get over(): Promise<void> {
    return this.#over.promise;
  }

  /** Notes that the quiet sender has settled the entry: no request is left to take over. */
  isSettled(): void {
    this.#begun = null;
    this.#over.resolve();
  }

  /** Notes that a request of the sender has ended. */
  ended(slot: Outgoing, outcome: Outcome, at: number, ms: number, mono: number): void {
    if (slot !== this.#begun) {
      this.#landed?.(slot, outcome, at, ms, mono);
      return;
    }
    this.#result = { outcome, at, ms, mono };
    this.#over.resolve();
    this.#give();
    if (performance.now() > this.startBy) this.#giveUpWaiting();
    for (const one of this.#waiting.splice(0)) this.#sender.send(one.slot, one.attempt);
  }

  send(slot: Outgoing, attempt: number): void {
    if (this.#slot === null && slot.position === this.#begun?.position) {
      this.#slot = slot;
      this.#over.resolve();
      if (this.#result !== null) queueMicrotask(() => this.#give());
    } else if (this.#isUnknown) this.#waiting.push({ slot, attempt });
    else this.#sender.send(slot, attempt);
  }

  /** Whether the request is still open and the drain does not know of it. */
  get #isUnknown(): boolean {
    return this.#begun !== null && this.#slot === null && this.#result === null;
  }

  #give(): void {
    if (this.#slot === null || this.#result === null) return;
    const { outcome, at, ms, mono } = this.#result;
    this.#begun = null;
    this.#landed?.(this.#slot, outcome, at, ms, mono);
  }

  sweep(now: number): void {
    this.#sender.sweep(now);
    if (this.#isUnknown && now > this.#leaseStartBy()) this.cut();
  }

  cut(): void {
    this.#giveUpWaiting();
    this.#sender.cut();
  }

  #giveUpWaiting(): void {
    for (const { slot } of this.#waiting.splice(0)) {
      this.#landed?.(slot, LEASE_ENDED, Date.now(), 0, performance.now());
    }
  }

  get inFlight(): number {
    return this.#sender.inFlight + this.#waiting.length;
  }

  /** Cuts the request if the drain has ended without it. */
  close(): Promise<void> {
    if (this.#isUnknown) this.#sender.cut();
    return this.#sender.close();
  }
}
