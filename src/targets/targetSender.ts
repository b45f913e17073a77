import type { Egress } from '../egress/egress.ts';
import { hide, type Hiding } from '../egress/hide.ts';
import type { Tokens } from '../egress/oauth.ts';
import type { BatchSize, MakingTurn } from '../egress/shaping.ts';
import { createSigner, type Signer } from '../egress/signing.ts';
import {
  createWebhookSender,
  type OnAttemptEnd,
  type Message,
  type OpenRequests,
  type WebhookSender,
} from '../egress/webhookSender.ts';
import type { BodyShape } from '../rules/bodyShape.ts';
import type { LateAnswer } from '../rules/outcome.ts';
import { requestPath } from '../rules/requestUrl.ts';
import { CannotStart } from '../rules/startFault.ts';
import { needCertificates } from './certificates.ts';
import { needClientCertificate } from './clientCertificate.ts';
import type { OpenTarget } from './openTarget.ts';

/** What all senders to one version of a target have in common. Never log it. */
export interface WayToTarget {
  target: OpenTarget;
  origin: string;
  sign: Signer;
  /** A flat list. */
  headers: string[];
  hiding: Hiding;
}

/** Prepares sending to a target. Throws `CannotStart` when the target can't be used. */
export function wayTo(target: OpenTarget): WayToTarget {
  pathOf(target.baseUrl, ''); // says what is wrong with the URL
  needCertificates(target.ca);
  needClientCertificate(target.clientCertificate);
  return {
    target,
    origin: new URL(target.baseUrl).origin,
    sign: createSigner(target.secrets, target.previousUntil),
    headers: Object.entries(target.headers).flat(),
    hiding: hide(target.hidden, target.oauth !== null),
  };
}

/**
 * Opens the sender that posts webhooks to one target, signed and with its headers and credentials.
 * Throws `CannotStart` when the path can't be used.
 */
export function openTargetSender<M extends Message>(
  { target, origin, ...way }: WayToTarget,
  options: {
    egress: Egress;
    tokens: Tokens;
    /** The consumer's path, joined to that of the target. */
    path: string;
    /** Sent as the header `millrace-consumer`. */
    consumerId: string;
    connections: number;
    /** As in `WebhookSenderOptions`. */
    shape?: BodyShape | null;
    /** As in `WebhookSenderOptions`. */
    weigh?: ((bytes: number) => void) | undefined;
    userAgent: string;
    /** As in `WebhookSenderOptions`. */
    now: () => number;
    /** As in `WebhookSenderOptions`. */
    samples?: () => boolean;
    /** As in `WebhookSenderOptions`. */
    bodyOf?: (message: Pick<Message, 'body' | 'bodies'>) => Buffer;
    /** As in `WebhookSenderOptions`. */
    size?: BatchSize;
    /** As in `WebhookSenderOptions`. */
    turn?: MakingTurn;
    requests?: OpenRequests;
    /** As in `WebhookSenderOptions`. */
    startBy?: (message: M) => number;
    ended: OnAttemptEnd<M>;
    /** As in `WebhookSenderOptions`. */
    late?: (late: LateAnswer | null) => void;
  },
): WebhookSender<M> {
  const { egress, tokens, path, connections, ...rest } = options;
  const { timeoutMs, ca, clientCertificate } = target;
  return createWebhookSender({
    ...way,
    origin,
    path: pathOf(target.baseUrl, path),
    outlet: egress.open({
      origin,
      connections,
      connectTimeoutMs: timeoutMs,
      ca,
      clientCertificate,
    }),
    tokens: target.oauth === null ? null : tokens.of(target, target.oauth),
    timeoutMs,
    ...rest,
  });
}

/**
 * Path and query of a consumer's webhooks: its path joined to the target's, then both queries. Throws
 * `CannotStart` for a URL or a path that can't be read as such.
 */
export function pathOf(baseUrl: string, path: string): string {
  const url = URL.parse(baseUrl);
  if (url === null || !/^https?:$/u.test(url.protocol)) {
    const detail = "The target's base_url can't be read as an http or https URL: save it again";
    throw new CannotStart('url_unreadable', detail);
  }
  const joined = requestPath(url, path);
  if (joined === null) {
    const detail = "The consumer's path can't be read as the path of a URL: save another path";
    throw new CannotStart('url_unreadable', detail);
  }
  return joined;
}
