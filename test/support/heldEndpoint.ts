import { LEASE_ENDED } from '../../src/egress/exchange.ts';
import type { OnAttemptEnd, WebhookSender } from '../../src/egress/webhookSender.ts';
import type { Outgoing } from '../../src/failure/outgoing.ts';
import { failed, type Outcome } from '../../src/rules/outcome.ts';

export const DELIVERED: Outcome = { kind: 'delivered', status: 204, responseHead: null };
/** An answer that can only be the endpoint's fault. */
export const UNAVAILABLE: Outcome = {
  kind: 'failed',
  code: 'HTTP_5XX',
  status: 503,
  detail: '503',
  responseHead: null,
  retryAfter: undefined,
};
/** The endpoint asks to wait for two seconds. */
export const ASKED_S = 2;
export const BUSY: Outcome = {
  kind: 'failed',
  code: 'THROTTLED',
  status: 429,
  detail: '429',
  responseHead: null,
  retryAfter: String(ASKED_S),
};
/** The endpoint is gone for good. */
export const GONE: Outcome = {
  kind: 'failed',
  code: 'GONE',
  status: 410,
  detail: '410',
  responseHead: null,
  retryAfter: undefined,
};
/** A fault of this machine. */
export const CUT: Outcome = { kind: 'ours', detail: 'a fault of this machine' };

/** A request that the endpoint has not answered. */
export interface HeldRequest {
  position: number;
  attempt: number;
  /** Ends it. */
  answer(outcome: Outcome): void;
}

/** The way of one sender to it. */
export interface HeldSender extends WebhookSender<Outgoing> {
  /** Nothing more goes this way, and nobody hears of the requests that are open: its process has died. */
  drop(): void;
}

/** An endpoint that answers when the test says so. */
export interface HeldEndpoint {
  /** `startBy` is asked of each request; `leaseEndsAt` (monotonic ms) when requests may be cut. */
  open(
    ended: OnAttemptEnd<Outgoing>,
    startBy: (slot: Outgoing) => number,
    leaseEndsAt: () => number,
  ): HeldSender;
  /** Those that are open, in the order in which they came. */
  readonly requests: readonly HeldRequest[];
}

export interface HeldEndpointOptions {
  timeoutMs: number;
  /** Called with each request, before it counts as open. */
  came: (request: HeldRequest, slot: Outgoing) => void;
  /** Called when a request is over, however it has ended. */
  over: (request: HeldRequest, outcome: Outcome) => void;
  /** Called with a request that starts too late. */
  late: (request: HeldRequest) => void;
  /** Called with a request that is cut although the lease holds. */
  early: (request: HeldRequest) => void;
}

export function createHeldEndpoint(options: HeldEndpointOptions): HeldEndpoint {
  const all: HeldRequest[] = [];

  function open(
    ended: OnAttemptEnd<Outgoing>,
    startBy: (slot: Outgoing) => number,
    leaseEndsAt: () => number,
  ): HeldSender {
    const own = new Map<HeldRequest, number>(); // with the time when it started
    let dropped = false;

    function send(slot: Outgoing, attempt: number): void {
      if (dropped) return;
      const at = Date.now();
      const mono = performance.now();
      const request: HeldRequest = {
        position: slot.position,
        attempt,
        answer: (outcome) => {
          if (!own.delete(request)) return;
          all.splice(all.indexOf(request), 1);
          options.over(request, outcome);
          ended(slot, outcome, at, Math.round(performance.now() - mono), mono);
        },
      };
      if (mono > startBy(slot)) options.late(request);
      options.came(request, slot);
      own.set(request, mono);
      all.push(request);
    }

    return {
      send,
      sweep: (now) => {
        for (const [request, since] of own) {
          if (now - since > options.timeoutMs) request.answer(failed('TIMEOUT', 'none', 'answer'));
        }
      },
      cut: () => {
        const isEarly = performance.now() <= leaseEndsAt();
        for (const request of own.keys()) {
          if (isEarly) options.early(request);
          request.answer(LEASE_ENDED);
        }
      },
      letGo: () => undefined, // none of its requests waits
      get inFlight() {
        return own.size;
      },
      grown: 0,
      made: null,
      close: () => Promise.resolve(),
      drop: () => {
        dropped = true;
        for (const request of own.keys()) all.splice(all.indexOf(request), 1);
        own.clear();
      },
    };
  }

  return { open, requests: all };
}
