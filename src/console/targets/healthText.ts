import type { Target } from '../../schema/target.ts';
import { amount, number } from '../words.ts';

/** How many consumers send to a target, or would. */
export function countOf({ active, paused, blocked, stopped }: Target['consumers']): number {
  return active + paused + blocked + stopped;
}

/** What its consumers do, in a sentence; their troubles say why some fail. */
export function consumersText(consumers: Target['consumers']): string {
  const all = countOf(consumers);
  const { active, ...others } = consumers;
  if (all === 0) return 'No consumer sends to it yet.';
  const states = Object.entries(others).filter(([, count]) => count > 0);
  if (states.length === 0) {
    return all === 1 ? 'Its only consumer sends.' : `All of its ${number(all)} consumers send.`;
  }
  const rest = states.map(([state, count]) => `${number(count)} ${state}`).join(', ');
  if (all === 1) return `Its only consumer is ${states[0]?.[0] ?? ''}.`;
  return `${active === 0 ? 'None' : number(active)} of its ${amount(all, 'consumer')} ${active === 1 ? 'sends' : 'send'}: ${rest}.`;
}

/** What is wrong with the target itself: the notes of its health but for counts of consumers. */
export function ownNotes({ health }: Pick<Target, 'health'>): string[] {
  return health.notes.filter((note) => !/^\d+ of its consumers (?:is|are) /u.test(note));
}
