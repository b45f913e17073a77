import { createEgress } from '../../src/egress/egress.ts';
import {
  createWebhookSender,
  type Message,
  type WebhookSender,
  type WebhookSenderOptions,
} from '../../src/egress/webhookSender.ts';
import { LOOPBACK } from './app.ts';

/** A sender to what listens on loopback; `destroy` cuts its connections. */
export function openSender(
  options: { origin: string; connections: number } & Pick<
    WebhookSenderOptions<Message>,
    'timeoutMs' | 'samples' | 'startBy' | 'bodyOf' | 'shape' | 'weigh' | 'ended'
  >,
): { sender: WebhookSender<Message>; destroy: () => Promise<void> } {
  const { origin, connections, ...rest } = options;
  const outlet = createEgress({ allowCidrs: LOOPBACK }).open({
    origin,
    connections,
    connectTimeoutMs: options.timeoutMs,
  });
  const sender = createWebhookSender<Message>({
    outlet,
    origin,
    path: '/hook',
    sign: () => 'v1,none',
    headers: [],
    consumerId: 'test',
    userAgent: 'Millrace/test',
    now: Date.now,
    ...rest,
  });
  return { sender, destroy: () => outlet.destroy() };
}
