import type { Consumer } from '../../schema/consumer.ts';
import { amount, number } from '../words.ts';
import { waits } from './waits.ts';

export type Verb = 'pause' | 'resume' | 'retry';

interface Plan {
  title: string;
  /** What will happen, and how many entries it concerns. */
  text: string;
  button: string;
}

/** The commands that have an effect on the consumer as it is. */
export function verbsOf(consumer: Pick<Consumer, 'status' | 'parked' | 'cannot_start'>): Verb[] {
  const { status, parked, cannot_start } = consumer;
  if (status === 'paused' || status === 'stopped') return ['resume'];
  const hasRetry = status === 'blocked' || parked > 0 || cannot_start !== null;
  return hasRetry ? ['retry', 'pause'] : ['pause'];
}

export const TITLES: Record<Verb, string> = {
  pause: 'Pause',
  resume: 'Resume',
  retry: 'Retry now',
};

/** What a command has done: the consumer as it was before, and as the API answered once the command was in force. */
export function doneText(
  verb: Verb,
  before: Pick<Consumer, 'status' | 'parked' | 'cannot_start'>,
  after: Pick<Consumer, 'name' | 'status' | 'lag' | 'parked'>,
): string {
  const { name, status, lag } = after;
  const isEmpty = lag.entries === 0;
  const waiting = waits(lag, 'entry waits', 'entries wait');
  if (verb === 'pause') {
    return `${name} is ${status}: no new requests start; ${isEmpty ? 'nothing is waiting' : waiting}.`;
  }
  if (status === 'active' && before.status !== 'active') {
    return `${name} is active again; ${isEmpty ? 'nothing was waiting' : waiting}.${parkedText(verb, after.parked)}`;
  }
  if (verb === 'resume') return `${name} was resumed and is ${status}; ${waiting}.`;
  if (status === 'blocked') {
    return `The next entry of ${name} is tried now; ${waiting} for the outcome.${parkedText(verb, before.parked)}`;
  }
  if (before.cannot_start !== null) {
    return `Whether ${name} can send is tried now; ${waiting} for the outcome.${parkedText(verb, before.parked)}`;
  }
  return before.parked === 0
    ? `Nothing of ${name} was waiting for a retry.`
    : `Of ${name},${parkedText(verb, before.parked)}`;
}

/** When parked entries are tried, as a sentence after another one; empty while there are none. */
function parkedText(verb: Verb, parked: number): string {
  if (parked === 0) return '';
  const many = amount(parked, 'parked entry is', 'parked entries are');
  return ` ${many} ${verb === 'resume' ? 'retried when due' : 'tried now'}.`;
}

/** What a command will do to this consumer, before it is given. */
export function planOf(verb: Verb, consumer: Consumer): Plan {
  const { name, lag, parked, position, status } = consumer;
  const waiting = waits(lag);
  const parkedMany = amount(parked, 'parked entry', 'parked entries');
  if (verb === 'pause') {
    return {
      title: `Pause ${name}?`,
      text: `No new requests start; requests in flight finish. ${capital(waiting)}, and new entries wait as well. Nothing is lost: it continues at position ${number(position)}.${status === 'blocked' ? ' Its retry window stops running.' : ''}`,
      button: 'Pause',
    };
  }
  if (verb === 'resume') {
    return {
      title: `Resume ${name}?`,
      text: `It continues after position ${number(position)}: ${waits(lag, 'entry', 'entries')} now, and ${parkedMany} when due. A failing endpoint gets a new retry window.`,
      button: 'Resume',
    };
  }
  if (status === 'blocked') {
    return {
      title: `Retry ${name} now?`,
      text: `Tries the next entry${parked === 0 ? '' : ` and ${parkedMany}`} now, even before the time that the endpoint asked for. If that succeeds, sending continues. The retry window is not reset.`,
      button: 'Retry now',
    };
  }
  if (consumer.cannot_start !== null) {
    return {
      title: `Retry ${name} now?`,
      text: `Tries now whether it can send${parked === 0 ? '' : `, and ${parkedMany}`}. What keeps it from sending has to be mended first.`,
      button: 'Retry now',
    };
  }
  return {
    title: `Retry ${name} now?`,
    text:
      parked === 0
        ? 'Nothing is waiting for a retry any more, so this changes nothing.'
        : `Tries ${parkedMany} now. The retry window is not reset.`,
    button: 'Retry now',
  };
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
