import { failurePhrase } from '../../rules/failurePhrase.ts';
import type { Consumer } from '../../schema/consumer.ts';
import type { Trouble } from '../../schema/overview.ts';
import { waits } from '../consumers/waits.ts';
import { number } from '../words.ts';
import type { EveryVerb } from './everyOne.ts';

type Cause = Pick<Trouble, 'status' | 'http_status' | 'code' | 'reason'>;

/**
 * What is wrong, in a few words: `HTTP 503`, `No answer in time`, or the reason of a stop with the last failure,
 * `the endpoint failed for the whole retry window (HTTP 503)`.
 */
export function causeOf({ status, http_status, code, reason }: Cause): string {
  const failure = failureOf({ http_status, code });
  if (reason === null) return failure ?? 'Its endpoint fails';
  const isSaid = status !== 'stopped' || failure === null || code === 'GONE';
  return isSaid ? reason : `${reason} (${failure})`;
}

function failureOf({ http_status, code }: Pick<Trouble, 'http_status' | 'code'>): string | null {
  if (http_status !== null) return `HTTP ${http_status}`;
  return code === null ? null : (failurePhrase(code) ?? code);
}

/** `4 of 6 consumers`, `all 6 consumers`. */
export function manyOf({ consumers, of }: Pick<Trouble, 'consumers' | 'of'>): string {
  return consumers === of
    ? `all ${number(of)} consumers`
    : `${number(consumers)} of ${number(of)} consumers`;
}

/** What stands before the target's name after the name of a single consumer: `1 of 6 consumers`, `the only consumer`. */
export function oneOf(of: number): string {
  return of === 1 ? 'the only consumer' : `1 of ${number(of)} consumers`;
}

/** What the trouble means for what waits: `Nothing is sent until it is resumed. 115 entries wait.` */
export function waitingText({
  status,
  consumers,
  waiting,
}: Pick<Trouble, 'status' | 'consumers' | 'waiting'>): string {
  const it = consumers === 1 ? 'it is' : 'they are';
  const stop = status === 'stopped' ? `Nothing is sent until ${it} resumed.` : '';
  const many =
    waiting.entries === 0 ? '' : capital(`${waits(waiting, 'entry waits', 'entries wait')}.`);
  return `${stop} ${many}`.trim();
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

/** The key that distinguishes a trouble from all others. */
export function keyOf({ target_id, status, code, http_status, reason }: Trouble): string {
  return JSON.stringify([target_id, status, code, http_status, reason]);
}

/** Whether the consumer has the trouble. One that can't send has no other, whatever its status is. */
export function isIn(trouble: Trouble, consumer: Consumer): boolean {
  const { cannot_start: fault, last_failure: failure } = consumer;
  if (consumer.target_id !== trouble.target_id) return false;
  if (trouble.status === 'cannot_start') {
    return fault !== null && fault.code === trouble.code && fault.detail === trouble.reason;
  }
  if (fault !== null || consumer.status !== trouble.status) return false;
  if (trouble.status === 'stopped') return consumer.status_reason === trouble.reason;
  return (
    (failure?.code ?? null) === trouble.code && (failure?.status ?? null) === trouble.http_status
  );
}

interface Words {
  button: string;
  /** The words for a single consumer. */
  one: string;
  title: (many: string, target: string) => string;
}

/** The words of a command that is given to several consumers. */
export const WORDS: Record<EveryVerb, Words> = {
  retry: {
    button: 'Retry all',
    one: 'Retry',
    title: (many, target) => `Retry ${many} of ${target} now?`,
  },
  resume: {
    button: 'Resume all',
    one: 'Resume',
    title: (many, target) => `Resume ${many} of ${target}?`,
  },
  pause: {
    button: 'Pause all',
    one: 'Pause',
    title: (many, target) => `Pause ${many} of ${target}?`,
  },
};
