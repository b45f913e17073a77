import { failureWords } from '../rules/failurePhrase.ts';
import type { Trouble } from '../schema/overview.ts';

/**
 * A group of consumers in trouble in one sentence: which they are, why, since when, and when the first of them
 * gives up.
 */
export function troubleText(trouble: Trouble): string {
  const { since, gives_up_at: end } = trouble;
  const why = [`${whoIn(trouble)}: ${reasonOf(trouble)}`];
  // What is known of a stopped consumer is since when it failed, not when it stopped.
  if (since !== null)
    why.push(`${trouble.status === 'stopped' ? ', failing ' : ' '}since ${second(since)}`);
  if (end !== null)
    why.push(`; ${trouble.consumers === 1 ? '' : 'the first '}gives up at ${second(end)}`);
  return why.join('');
}

/** `orders, invoices (target shop)`, or `4 of 6 consumers of shop` where they are too many to be named. */
function whoIn({ named, consumers, of, target_name: target }: Trouble): string {
  if (named.length === 0) return `${consumers} of ${of} consumers of ${target}`;
  return `${named.map(({ name }) => name).join(', ')} (target ${target})`;
}

function reasonOf({ status, reason, code, http_status }: Trouble): string {
  if (status !== 'blocked' && reason !== null) return reason.replace(/\.$/u, '');
  return code === null ? 'its endpoint fails' : failureWords({ code, status: http_status });
}

/** A time without fractions of a second. */
function second(time: string): string {
  return `${new Date(time).toISOString().slice(0, 19)}Z`;
}
