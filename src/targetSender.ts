import { openOutlet } from './egress.ts';
import { requestPath } from './run.ts';
import {
  createSender,
  type Ended,
  type Message,
  type OpenRequests,
  type Sender,
} from './sender.ts';
import { createSigner } from './signing.ts';
import type { OpenTarget } from './targets.ts';

/** What sends to one target: signed, with its headers and credentials. */
export function openTargetSender<M extends Message>(
  target: OpenTarget,
  options: {
    /** Joined to the target's own. */
    path: string;
    /** What `millrace-consumer` says. */
    consumerId: string;
    connections: number;
    userAgent: string;
    /** Keeps the beginning of successful answers too. */
    keepHeads?: boolean;
    requests?: OpenRequests;
    ended: Ended<M>;
  },
): Sender<M> {
  const { path, connections, ...rest } = options;
  return createSender({
    outlet: openOutlet({
      origin: new URL(target.baseUrl).origin,
      connections,
      connectTimeoutMs: target.timeoutMs,
    }),
    path: requestPath(target.baseUrl, path),
    sign: createSigner(target.secrets),
    headers: Object.entries(target.headers).flat(),
    timeoutMs: target.timeoutMs,
    ...rest,
  });
}
