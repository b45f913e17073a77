import { createBodyShapes } from '../delivery/bodyShapes.ts';
import type { SenderConfig } from '../delivery/senderConfig.ts';
import { batchBody, batchSize } from '../egress/batchBody.ts';
import type { Egress } from '../egress/egress.ts';
import { createTokens } from '../egress/oauth.ts';
import { createTraceSampler } from '../egress/traceSampler.ts';
import type {
  Message,
  OnAttemptEnd,
  OpenRequests,
  WebhookSender,
} from '../egress/webhookSender.ts';
import { createTurn } from '../flow/turn.ts';
import type { LateAnswer } from '../rules/outcome.ts';
import type { OpenTarget } from '../targets/openTarget.ts';
import { openTargetSender, wayTo, type WayToTarget } from '../targets/targetSender.ts';

/**
 * Opens a sender that posts a consumer's webhooks to its target, over at most so many `connections`. `weigh` counts what
 * bodies have more than their entries.
 */
export type OpenSender = <M extends Message>(
  config: SenderConfig,
  connections: number,
  ended: OnAttemptEnd<M>,
  startBy: (message: M) => number,
  weigh?: (bytes: number) => void,
  late?: (late: LateAnswer | null) => void,
) => WebhookSender<M>;

export interface OpenSenderOptions {
  egress: Egress;
  userAgent: string;
  /** Unix ms by the clock of Postgres. */
  now: () => number;
  /** Counts the requests that are open, for metrics. */
  requests?: OpenRequests | undefined;
}

/**
 * Creates the function that opens senders: through the egress guard, with OAuth2 tokens that the senders of the
 * process share.
 */
export function createOpenSender(options: OpenSenderOptions): OpenSender {
  const { egress, userAgent, now, requests } = options;
  const tokens = createTokens({ egress, userAgent });
  const counted = requests === undefined ? {} : { requests };
  const ways = new WeakMap<OpenTarget, WayToTarget>(); // those of the target of a visited consumer are kept

  function wayOf(target: OpenTarget): WayToTarget {
    const way = ways.get(target) ?? wayTo(target);
    ways.set(target, way);
    return way;
  }

  const sampler = createTraceSampler();
  const shapes = createBodyShapes();
  const process = { egress, tokens, userAgent, now, turn: createTurn(), ...counted };
  return (config, connections, ended, startBy, weigh, late) => {
    const { target, path, consumerId } = config;
    const samples = sampler.ofSender();
    const shape = shapes.of(config);
    const own = { path, consumerId, connections, shape, weigh, ended, startBy, samples };
    return openTargetSender(wayOf(target), {
      ...process,
      ...own,
      ...batching(config),
      ...(late === undefined ? {} : { late }),
    });
  };
}

function batching({ stream, batch, body: { mode } }: SenderConfig) {
  if (batch === null) return {};
  return { bodyOf: batchBody(stream, mode), size: batchSize(stream, mode, batch.max_bytes) };
}
