import { failurePhrase } from '../../rules/failurePhrase.ts';
import type { Consumer } from '../../schema/consumer.ts';
import type { Trouble } from '../../schema/overview.ts';
import { waits } from '../consumers/waits.ts';
import { amount, number } from '../words.ts';
import type { EveryVerb } from './everyOne.ts';

/** What is wrong, in a few words: `HTTP 503`, `No answer in time`, or the reason of the stop. */
export function causeOf({ http_status, code, reason }: Trouble): string {
  if (reason !== null) return reason;
  if (http_status !== null) return `HTTP ${http_status}`;
  return code === null ? 'Its endpoint fails' : (failurePhrase(code) ?? code);
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
  text: string;
  textOfOne: string;
  /** The words after it was done. */
  done: string;
}

/** The words of a command that is given to several consumers. */
export const WORDS: Record<EveryVerb, Words> = {
  retry: {
    button: 'Retry all',
    one: 'Retry',
    title: (many, target) => `Retry ${many} of ${target} now?`,
    text: 'The next entry of each is tried now. The retry window is not reset.',
    textOfOne: 'Its next entry is tried now. The retry window is not reset.',
    done: 'Retried',
  },
  resume: {
    button: 'Resume all',
    one: 'Resume',
    title: (many, target) => `Resume ${many} of ${target}?`,
    text: 'Each continues where it stopped, with a new retry window.',
    textOfOne: 'It continues where it stopped, with a new retry window.',
    done: 'Resumed',
  },
  pause: {
    button: 'Pause all',
    one: 'Pause',
    title: (many, target) => `Pause ${many} of ${target}?`,
    text: 'No new requests of theirs start; requests in flight finish. Nothing is lost: each continues where it stopped when it is resumed.',
    textOfOne:
      'No new requests start; requests in flight finish. Nothing is lost: it continues where it stopped when it is resumed.',
    done: 'Paused',
  },
};

/** The outcome of a command that was given to several consumers. */
export function outcomeText(
  verb: EveryVerb,
  { done, failed }: { done: number; failed: { name: string; reason: string }[] },
): string {
  const [first] = failed;
  const said = `${WORDS[verb].done}: ${amount(done, 'consumer')}.`;
  if (first === undefined) return said;
  return `${said} Failed for ${amount(failed.length, 'consumer')}: ${first.name}: ${first.reason}${failed.length > 1 ? ', and others' : ''}`;
}
