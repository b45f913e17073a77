import { z } from 'zod';

import { newId } from '../db/ids.ts';
import type { Egress } from '../egress/egress.ts';
import { createTokens } from '../egress/oauth.ts';
import type { Message } from '../egress/webhookSender.ts';
import type { Outcome } from '../rules/outcome.ts';
import { Uuid } from '../schema/fields.ts';
import type { OpenTarget } from './targets.ts';
import { openTargetSender } from './targetSender.ts';

/** What a test webhook carried, and what came of it. */
export const TargetTest = z
  .object({
    message_id: Uuid,
    outcome: z.enum(['delivered', 'failed']),
    status: z.int().nullable(),
    error_code: z.string().nullable(),
    detail: z.string().nullable().meta({ description: 'Why it failed, in words' }),
    duration_ms: z.int(),
    response_head: z
      .string()
      .nullable()
      .meta({ description: 'The first 2 KB of the answer’s body' }),
    request: z.object({ method: z.literal('POST'), url: z.string(), body: z.string() }),
  })
  .meta({ id: 'TargetTest' });
export type TargetTest = z.infer<typeof TargetTest>;

/** The id is the webhook's: a test that is repeated after a crash has the same. */
export type TestTarget = (target: OpenTarget, messageId: string) => Promise<TargetTest>;

const SWEEP_MS = 25;

/**
 * Sends one signed webhook with a body of `{"test":{…}}` as a delivery would be sent, a token of its
 * own included. Rejects only for a fault of this machine.
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
      request: { method: 'POST', url: target.baseUrl, body },
    };
  } finally {
    clearInterval(sweep);
    await sender.close();
  }
}
