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
import type { OpenTarget } from './openTarget.ts';

/** What sends to one target: signed, with its headers and credentials. */
export function openTargetSender<M extends Message>(
  target: OpenTarget,
  options: {
    egress: Egress;
    tokens: Tokens;
    /** Joined to the target's own. */
    path: string;
    /** What `millrace-consumer` says. */
    consumerId: string;
    connections: number;
    userAgent: string;
    /** Keeps the beginning of successful answers too. */
    keepHeads?: boolean;
    requests?: OpenRequests;
    /** As in `SenderOptions`. */
    startBy?: () => number;
    ended: OnAttemptEnd<M>;
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

/** Path and query of a consumer's webhook: its path joined to the target's, whose query is kept. */
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
