import { newId } from '../db/ids.ts';
import type { Egress } from '../egress/egress.ts';
import { createTokens } from '../egress/oauth.ts';
import type { Message } from '../egress/webhookSender.ts';
import type { Outcome } from '../rules/outcome.ts';
import type { TargetTest } from '../schema/targetTest.ts';
import { idnHostOf } from './idnHosts.ts';
import type { OpenTarget } from './openTarget.ts';
import { openTargetSender } from './targetSender.ts';

/** Sends a test webhook with that id, so that a test repeated after a crash has the same one. */
export type TestTarget = (target: OpenTarget, messageId: string) => Promise<TargetTest>;

const SWEEP_MS = 25;

/**
 * Sends one signed webhook with the body `{"test":{…}}` as a sender does, but with an OAuth2
 * token of its own. Rejects only for a fault of this machine.
 */
export async function testTarget(
  target: OpenTarget,
  options: { egress: Egress; userAgent: string; messageId?: string },
): Promise<TargetTest> {
  const { egress, userAgent, messageId = newId() } = options;
  const body = JSON.stringify({ test: { id: messageId, sent_at: new Date().toISOString() } });
  const { promise, resolve } = Promise.withResolvers<[outcome: Outcome, durationMs: number]>();
  const sender = openTargetSender<Message>(target, {
    egress,
    tokens: createTokens({ egress, userAgent }),
    path: '',
    consumerId: 'test',
    connections: 1,
    userAgent,
    keepHeads: true,
    ended: (_message, outcome, _startedAt, durationMs) => resolve([outcome, durationMs]),
  });
  const sweep = setInterval(() => sender.sweep(performance.now()), SWEEP_MS);
  try {
    sender.send({ position: 0, messageId, body }, 1);
    const [outcome, duration_ms] = await promise;
    if (outcome.kind === 'ours') throw new Error(`a fault of this machine: ${outcome.detail}`);
    const isFailed = outcome.kind === 'failed';
    return {
      message_id: messageId,
      outcome: outcome.kind,
      status: outcome.status,
      error_code: isFailed ? outcome.code : null,
      detail: isFailed ? outcome.detail : null,
      duration_ms,
      response_head: outcome.responseHead,
      request: {
        method: 'POST',
        url: target.baseUrl,
        idn_host: idnHostOf(target.baseUrl),
        body,
      },
    };
  } finally {
    clearInterval(sweep);
    await sender.close();
  }
}
