import { newId } from '../db/ids.ts';
import type { Egress } from '../egress/egress.ts';
import { createTokens } from '../egress/oauth.ts';
import type { Message } from '../egress/webhookSender.ts';
import { lateDetail, lateWaitMs } from '../rules/lateAnswer.ts';
import type { LateAnswer, Outcome } from '../rules/outcome.ts';
import type { TargetTest } from '../schema/targetTest.ts';
import { idnHostOf } from './idnHosts.ts';
import type { OpenTarget } from './openTarget.ts';
import { openTargetSender, wayTo } from './targetSender.ts';

/** Sends a test webhook with that id, so that a test repeated after a crash has the same one. */
export type TestTarget = (target: OpenTarget, messageId: string) => Promise<TargetTest>;

const SWEEP_MS = 25;

/**
 * Sends one signed webhook with the body `{"test":{…}}` as a sender does, but with an OAuth2
 * token of its own. After a timeout it waits twice as long again for the answer, so that the result
 * says whether one comes. Rejects only for a fault of this machine that passes.
 */
export async function testTarget(
  target: OpenTarget,
  options: {
    egress: Egress;
    userAgent: string;
    /** Unix ms by the clock of Postgres. */
    now: () => number;
    messageId?: string;
  },
): Promise<TargetTest> {
  const { egress, userAgent, now, messageId = newId() } = options;
  const body = JSON.stringify({ test: { id: messageId, sent_at: new Date(now()).toISOString() } });
  const late = Promise.withResolvers<LateAnswer | null>();
  const { promise, resolve } = Promise.withResolvers<[outcome: Outcome, durationMs: number]>();
  const sender = openTargetSender<Message>(wayTo(target), {
    egress,
    tokens: createTokens({ egress, userAgent }),
    path: '',
    consumerId: 'test',
    connections: 1,
    userAgent,
    now,
    samples: () => true,
    ended: (_message, outcome, _startedAt, durationMs) => resolve([outcome, durationMs]),
    late: late.resolve,
  });
  let waiting: NodeJS.Timeout | undefined;
  const sweep = setInterval(() => sender.sweep(performance.now()), SWEEP_MS);
  try {
    sender.send({ position: 0, messageId, body }, 1);
    const [outcome, duration_ms] = await promise;
    if (outcome.trace === undefined) throw new Error(untraced(outcome));
    const isTimeout =
      outcome.kind === 'failed' && outcome.code === 'TIMEOUT' && outcome.status === null;
    if (isTimeout) waiting = setTimeout(() => sender.cut(), lateWaitMs(target.timeoutMs));
    const answer = isTimeout ? await late.promise : null;
    return {
      message_id: messageId,
      outcome: outcome.kind === 'delivered' ? 'delivered' : 'failed',
      status: outcome.kind === 'ours' ? null : outcome.status,
      error_code: codeOf(outcome),
      detail: detailOf(outcome, answer),
      duration_ms,
      response_head: outcome.kind === 'ours' ? null : outcome.responseHead,
      request: {
        method: 'POST',
        url: target.baseUrl,
        idn_host: idnHostOf(target.baseUrl),
        body,
      },
      trace: outcome.trace,
    };
  } finally {
    clearInterval(sweep);
    clearTimeout(waiting);
    await sender.close();
  }
}

function untraced(outcome: Outcome): string {
  return outcome.kind === 'ours'
    ? `a fault of this machine: ${outcome.detail}`
    : 'a test webhook was not traced';
}

/** The code of a failure; the code of a lasting fault is written in the form of failure codes. */
function codeOf(outcome: Outcome): string | null {
  if (outcome.kind === 'ours') return outcome.lasting?.toUpperCase() ?? null;
  return outcome.kind === 'failed' ? outcome.code : null;
}

function detailOf(outcome: Outcome, answer: LateAnswer | null): string | null {
  if (outcome.kind === 'ours') return outcome.detail;
  if (outcome.kind !== 'failed') return null;
  return answer === null ? outcome.detail : lateDetail(outcome.detail, answer);
}
