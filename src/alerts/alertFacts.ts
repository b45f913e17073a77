import { upTo } from '../rules/waitingWords.ts';
import { amount } from '../rules/words.ts';
import type { AlertItem } from './alertItem.ts';
import type { Saying } from './alertWords.ts';

/** A line of an alert. */
export type Named = [name: string, value: string];

/** The reason for an alert; the code of a failure is left out where the status that follows says the same. */
export function reasonOf({ reason }: AlertItem): string {
  return reason.replace(/^HTTP_\dXX: (?=HTTP \d)/u, '');
}

/** Since when it can't send or its endpoint fails, RFC 3339; null when that is not known. */
export function sinceOf(
  { cannot_start, failing_since }: AlertItem,
  { since = 'Failing since' }: Saying,
): Named | null {
  if (cannot_start !== undefined) return ['Since', cannot_start.since];
  return failing_since === null ? null : [since, failing_since];
}

/** What its endpoint answered last, with the beginning of its own words, or how the last attempt failed without one. */
export function lastAnswerOf({ last_failure: failure, answer }: AlertItem): Named | null {
  if (failure === null) return null;
  const { code, detail } = failure;
  if (!/^HTTP \d/u.test(detail)) return ['Last failure', `${code}, ${detail}`];
  return ['Last answer', answer === undefined ? detail : `${detail}, "${answer}"`];
}

/** How many entries wait for it, and from which position. */
export function waitsOf(
  { waiting, waiting_exact, position }: AlertItem,
  { waits }: Saying,
): Named[] {
  if (waits === null || waiting === 0) return [];
  const many = `${upTo(waiting_exact === true)}${amount(waiting, 'entry', 'entries')}`;
  return [['Waiting', `${many}, from position ${position + 1}`]];
}
