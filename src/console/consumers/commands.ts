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

/** The commands that have an effect in the consumer's status. */
export function verbsOf({ status }: Consumer): Verb[] {
  if (status === 'active' || status === 'blocked') return ['retry', 'pause'];
  return ['resume'];
}

export const TITLES: Record<Verb, string> = {
  pause: 'Pause',
  resume: 'Resume',
  retry: 'Retry now',
};

/** What a command will do to this consumer, before it is given. */
export function planOf(verb: Verb, consumer: Consumer): Plan {
  const { name, lag, parked, position, status } = consumer;
  const waiting = waits(lag);
  const parkedText = amount(parked, 'parked entry', 'parked entries');
  if (verb === 'pause') {
    return {
      title: `Pause ${name}?`,
      text: `No request starts any more; those in flight end. ${capital(waiting)} now, and what comes waits too. Nothing is lost: it goes on at position ${number(position)}.${status === 'blocked' ? ' The clock of its retries stops.' : ''}`,
      button: 'Pause',
    };
  }
  if (verb === 'resume') {
    return {
      title: `Resume ${name}?`,
      text: `It goes on after position ${number(position)}: ${waits(lag, 'entry', 'entries')} now, and ${parkedText} when due. A failing endpoint gets a new retry window.`,
      button: 'Resume',
    };
  }
  if (status === 'blocked') {
    return {
      title: `Retry ${name} now?`,
      text: `The entry at the head and ${parkedText} are tried at once, also before the time the endpoint asked for. If they succeed, ${waiting} and follow. The clock of the retries keeps running.`,
      button: 'Retry now',
    };
  }
  return {
    title: `Retry ${name} now?`,
    text:
      parked === 0
        ? 'Nothing waits for a retry: this changes nothing.'
        : `${parkedText} ${parked === 1 ? 'is' : 'are'} tried at once; the clock of the retries keeps running.`,
    button: 'Retry now',
  };
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
