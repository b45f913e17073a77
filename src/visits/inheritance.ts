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
 * What a drain takes over from a quiet sender: its way to the endpoint, and the request that it has begun,
 * which may have ended meanwhile. When the drain sends that entry, it gets the outcome of this request.
 */
export class Inheritance implements WebhookSender<Outgoing> {
  readonly #sender: WebhookSender<Outgoing>;
  #begun: Outgoing | null;
  #result: Ended | null = null;
  /** The slot of the drain that the request stands for. */
  #slot: Outgoing | null = null;
  #landed: OnAttemptEnd<Outgoing> | null = null;
  #startBy: (() => number) | null = null;

  constructor(sender: WebhookSender<Outgoing>, begun: Outgoing | null) {
    this.#sender = sender;
    this.#begun = begun;
  }

  /** Gives it to a drain, whose callbacks these are. */
  takenBy(landed: OnAttemptEnd<Outgoing>, startBy: () => number): WebhookSender<Outgoing> {
    this.#landed = landed;
    this.#startBy = startBy;
    return this;
  }

  /** The time until which a request may start, monotonic ms; null before a drain has taken it. */
  get startBy(): (() => number) | null {
    return this.#startBy;
  }

  /** Notes that a request of the sender has ended. */
  ended(slot: Outgoing, outcome: Outcome, at: number, ms: number, mono: number): void {
    if (slot !== this.#begun) {
      this.#landed?.(slot, outcome, at, ms, mono);
      return;
    }
    this.#result = { outcome, at, ms, mono };
    this.#give();
  }

  send(slot: Outgoing, attempt: number): void {
    if (slot.position !== this.#begun?.position || this.#slot !== null) {
      this.#sender.send(slot, attempt);
      return;
    }
    this.#slot = slot;
    if (this.#result !== null) queueMicrotask(() => this.#give());
  }

  #give(): void {
    if (this.#slot === null || this.#result === null) return;
    const { outcome, at, ms, mono } = this.#result;
    this.#begun = null;
    this.#landed?.(this.#slot, outcome, at, ms, mono);
  }

  sweep(now: number): void {
    this.#sender.sweep(now);
  }

  cut(): void {
    this.#sender.cut();
  }

  get inFlight(): number {
    return this.#sender.inFlight;
  }

  /** Cuts the request if the drain has ended without it. */
  close(): Promise<void> {
    if (this.#begun !== null && this.#slot === null) this.#sender.cut();
    return this.#sender.close();
  }
}
