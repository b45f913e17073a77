import type { Consumer } from '../../schema/consumer.ts';
import type { TargetTest } from '../../schema/targetTest.ts';
import { adviceOf } from '../attempts/advice.ts';
import { amount, number } from '../words.ts';

/**
 * The outcome of a test webhook in words, with the URL that was tested, and how many of the target's consumers send to
 * paths below it, which were not.
 */
export function testText(
  { request, outcome, status, error_code: code, detail, duration_ms }: TargetTest,
  consumers: readonly Pick<Consumer, 'path'>[],
): string {
  const answer = status === null ? (detail ?? 'no response') : `HTTP ${status}`;
  const advice = adviceOf({ code, status }, request.url);
  const said = [
    `Test webhook to ${request.url}: ${outcome}, ${answer}, ${number(duration_ms)} ms.`,
    ...(advice === null ? [] : [advice]),
  ].join(' ');
  const below = consumers.filter(({ path }) => path !== '').length;
  if (below === 0) return said;
  const senders = amount(below, 'consumer of it sends', 'consumers of it send');
  return `${said} Not tested: ${senders} to ${below === 1 ? 'a path' : 'paths'} below this URL.`;
}
