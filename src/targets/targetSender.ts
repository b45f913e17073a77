import type { Egress } from '../egress/egress.ts';
import type { Tokens } from '../egress/oauth.ts';
import { createSigner } from '../egress/signing.ts';
import {
  createWebhookSender,
  type OnAttemptEnd,
  type Message,
  type OpenRequests,
  type WebhookSender,
} from '../egress/webhookSender.ts';
import type { LateAnswer } from '../rules/outcome.ts';
import type { OpenTarget } from './openTarget.ts';

/** Opens the sender that posts webhooks to one target, signed and with its headers and credentials. */
export function openTargetSender<M extends Message>(
  target: OpenTarget,
  options: {
    egress: Egress;
    tokens: Tokens;
    /** The consumer's path, joined to that of the target. */
    path: string;
    /** Sent as the header `millrace-consumer`. */
    consumerId: string;
    connections: number;
    userAgent: string;
    /** As in `WebhookSenderOptions`. */
    now: () => number;
    /** Keeps the first 2 KB of successful answers as well as of failed ones. */
    keepHeads?: boolean;
    requests?: OpenRequests;
    /** As in `WebhookSenderOptions`. */
    startBy?: () => number;
    ended: OnAttemptEnd<M>;
    /** As in `WebhookSenderOptions`. */
    late?: (late: LateAnswer | null) => void;
  },
): WebhookSender<M> {
  const { egress, tokens, path, connections, ...rest } = options;
  return createWebhookSender({
    outlet: egress.open({
      origin: new URL(target.baseUrl).origin,
      connections,
      connectTimeoutMs: target.timeoutMs,
      ca: target.ca,
    }),
    path: requestPath(target.baseUrl, path),
    sign: createSigner(target.secrets, target.previousUntil),
    headers: Object.entries(target.headers).flat(),
    hidden: target.hidden,
    tokens: target.oauth === null ? null : tokens.of(target, target.oauth),
    timeoutMs: target.timeoutMs,
    ...rest,
  });
}

/** Path and query of a consumer's webhooks: its path joined to the target's, then both queries. */
export function requestPath(baseUrl: string, path: string): string {
  const url = new URL(baseUrl);
  if (path === '') return `${url.pathname}${url.search}`;
  const extra = new URL(path, url.origin);
  const joined = `${url.pathname.replace(/\/$/u, '')}${extra.pathname}`;
  const query = [url.search.slice(1), extra.search.slice(1)]
    .filter((part) => part !== '')
    .join('&');
  return query === '' ? joined : `${joined}?${query}`;
}
