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

/** The message once a command has been accepted. */
export const DONE: Record<Verb, string> = {
  pause: 'Paused: no new requests start.',
  resume: 'Resumed: it continues where it stopped. Its deliveries show what comes of it.',
  retry: 'Trying now. Its deliveries show what comes of it.',
};

/** What a command will do to this consumer, before it is given. */
export function planOf(verb: Verb, consumer: Consumer): Plan {
  const { name, lag, parked, position, status } = consumer;
  const waiting = waits(lag);
  const parkedText = amount(parked, 'parked entry', 'parked entries');
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
      text: `It continues after position ${number(position)}: ${waits(lag, 'entry', 'entries')} now, and ${parkedText} when due. A failing endpoint gets a new retry window.`,
      button: 'Resume',
    };
  }
  if (status === 'blocked') {
    return {
      title: `Retry ${name} now?`,
      text: `Tries the next entry${parked === 0 ? '' : ` and ${parkedText}`} now, even before the time that the endpoint asked for. If that succeeds, sending continues. The retry window is not reset.`,
      button: 'Retry now',
    };
  }
  return {
    title: `Retry ${name} now?`,
    text:
      parked === 0
        ? 'Nothing is waiting for a retry, so this changes nothing.'
        : `Tries ${parkedText} now. The retry window is not reset.`,
    button: 'Retry now',
  };
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
