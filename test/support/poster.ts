import { newId } from '../../src/db/ids.ts';
import type { Egress } from '../../src/egress/egress.ts';
import { createWebhookSender, type Message } from '../../src/egress/webhookSender.ts';
import type { Outcome } from '../../src/rules/outcome.ts';

export interface PosterOptions {
  egress: Egress;
  origin: string;
  timeoutMs: number;
  /** One if it is not given. */
  connections?: number;
  ca?: string | null;
  startBy?: () => number;
}

/** Sends webhooks, of which each one is waited for. */
export interface Poster extends AsyncDisposable {
  post(body?: string): Promise<Outcome>;
  letGo(): void;
}

const SWEEP_MS = 10;

/** Dispose of it to cut its connections. */
export function openPoster(options: PosterOptions): Poster {
  const { egress, origin, timeoutMs, connections = 1, ca = null, startBy } = options;
  const ends = new Map<string, (outcome: Outcome) => void>();
  const outlet = egress.open({ origin, connections, connectTimeoutMs: timeoutMs, ca });
  const sender = createWebhookSender<Message>({
    outlet,
    origin,
    path: '/hook',
    sign: () => 'v1,none',
    headers: [],
    consumerId: 'test',
    now: () => Date.now(),
    userAgent: 'Millrace/test',
    timeoutMs,
    samples: () => true,
    ...(startBy === undefined ? {} : { startBy }),
    ended: ({ messageId }, outcome) => ends.get(messageId)?.(outcome),
  });
  const sweep = setInterval(() => sender.sweep(performance.now()), SWEEP_MS);
  return {
    post: (body = '{}') =>
      new Promise((resolve) => {
        const messageId = newId();
        ends.set(messageId, resolve);
        sender.send({ position: 1, messageId, body }, 1);
      }),
    letGo: sender.letGo,
    [Symbol.asyncDispose]: async () => {
      clearInterval(sweep);
      await outlet.destroy();
    },
  };
}
