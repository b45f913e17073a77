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

/** What is to be sent once the request has ended, and by which sender. */
interface Waiting {
  slot: Outgoing;
  attempt: number;
  sender: WebhookSender<Outgoing>;
  startBy: (slot: Outgoing) => number;
}

/**
 * Everything that a drain takes over from a quiet sender: its connections to the endpoint, and the request that
 * it has begun, which may have ended meanwhile. When the drain sends that entry, it gets the outcome of this
 * request. As long as the drain has not read the entry, because the tail has forgotten it, it sends nothing else
 * before the request has ended.
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
  #startBy: ((slot: Outgoing) => number) | null = null;
  /** What the drain wants to send while it does not know of the request yet. */
  #waiting: Waiting[] = [];

  /** `leaseStartBy`: the time until which the lease allows a request to start, monotonic ms. */
  constructor(sender: WebhookSender<Outgoing>, begun: Outgoing | null, leaseStartBy: () => number) {
    this.#sender = sender;
    this.#leaseStartBy = leaseStartBy;
    this.#begun = begun;
    if (begun === null) this.#over.resolve();
  }

  /** Hands everything over to a drain, whose callbacks these are. */
  takenBy(
    landed: OnAttemptEnd<Outgoing>,
    startBy: (slot: Outgoing) => number,
  ): WebhookSender<Outgoing> {
    this.#landed = landed;
    this.#startBy = startBy;
    return this;
  }

  /**
   * The time until which a request may start, monotonic ms: once a drain has taken over, that of the drain. A request
   * that waits and of which the drain does not know yet does not start: the drain sends its entry itself.
   */
  startBy(slot: Outgoing): number {
    if (this.#startBy === null) return this.#leaseStartBy();
    if (slot !== this.#begun) return this.#startBy(slot);
    return this.#slot === null ? 0 : this.#startBy(this.#slot);
  }

  /** A later sender of the drain, for a newer configuration: what it is to send waits for the request as well. */
  ahead(
    sender: WebhookSender<Outgoing>,
    startBy: (slot: Outgoing) => number,
  ): WebhookSender<Outgoing> {
    return {
      send: (slot, attempt) => this.#send({ slot, attempt, sender, startBy }),
      sweep: (now) => sender.sweep(now),
      cut: () => sender.cut(),
      letGo: () => sender.letGo(),
      close: () => sender.close(),
      get inFlight() {
        return sender.inFlight;
      },
      get grown() {
        return sender.grown;
      },
      get made() {
        return sender.made;
      },
    };
  }

  /** Whether the request has failed at the endpoint. */
  get hasFailed(): boolean {
    return this.#result?.outcome.kind === 'failed';
  }

  /** Whether the request has failed and the drain does not know it, because it has not read the entry yet. */
  get isUntold(): boolean {
    return this.hasFailed && this.#begun !== null;
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
    this.letGo();
    for (const { slot: next, attempt, sender } of this.#waiting.splice(0)) {
      sender.send(next, attempt);
    }
  }

  letGo(): void {
    const now = performance.now();
    const isOver = ({ slot, startBy }: Waiting): boolean => now > startBy(slot);
    const over = this.#waiting.filter(isOver);
    this.#waiting = this.#waiting.filter((one) => !isOver(one));
    giveUp(over, this.#landed);
    this.#sender.letGo();
  }

  send(slot: Outgoing, attempt: number): void {
    const startBy = (one: Outgoing): number => this.startBy(one);
    this.#send({ slot, attempt, sender: this.#sender, startBy });
  }

  #send(one: Waiting): void {
    const { slot, attempt, sender } = one;
    if (this.#slot === null && slot.position === this.#begun?.position) {
      this.#slot = slot;
      this.#over.resolve();
      if (this.#result !== null) queueMicrotask(() => this.#give());
    } else if (this.#isUnknown) this.#waiting.push(one);
    else sender.send(slot, attempt);
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
    giveUp(this.#waiting.splice(0), this.#landed);
    this.#sender.cut();
  }

  get inFlight(): number {
    return this.#sender.inFlight + this.#waiting.length;
  }

  get made(): Promise<void> | null {
    return this.#sender.made;
  }

  get grown(): number {
    return this.#sender.grown;
  }

  /** Cuts the request if the drain has ended without it. */
  close(): Promise<void> {
    if (this.#isUnknown) this.#sender.cut();
    return this.#sender.close();
  }
}

/** Ends requests that have not begun. */
function giveUp(waiting: Waiting[], landed: OnAttemptEnd<Outgoing> | null): void {
  for (const { slot } of waiting) {
    landed?.(slot, LEASE_ENDED, Date.now(), 0, performance.now());
  }
}
