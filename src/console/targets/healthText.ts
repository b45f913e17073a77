import type { Target } from '../../schema/target.ts';
import { amount, number } from '../words.ts';

/** How many consumers send to a target, or would. */
export function countOf({ active, paused, blocked, stopped }: Target['consumers']): number {
  return active + paused + blocked + stopped;
}

/**
 * What its consumers do, in a sentence; their troubles say why some fail. Each is counted once: one that can't
 * send because of a fault that is not its endpoint's does not count as active or blocked.
 */
export function consumersText(target: Pick<Target, 'consumers' | 'unreadable'>): string {
  const { active, paused, blocked, stopped, cannot_start } = target.consumers;
  const all = countOf(target.consumers);
  if (all === 0) return 'No consumer sends to it yet.';
  // What can't be read of the target keeps all of them from sending, also those that have not tried yet.
  const unable = target.unreadable.length > 0 ? { active, blocked } : cannot_start;
  const sending = active - unable.active;
  const unableToSend = unable.active + unable.blocked;
  if (sending === all) {
    return all === 1
      ? 'Its only consumer is sending.'
      : `All ${number(all)} of its consumers are sending.`;
  }
  if (unableToSend === all) {
    return all === 1
      ? "Its only consumer can't send."
      : `None of its ${number(all)} consumers can send.`;
  }
  const others = [
    [paused, 'paused'],
    [blocked - unable.blocked, 'blocked'],
    [stopped, 'stopped'],
    [unableToSend, "can't send"],
  ] as const;
  const states = others.filter(([count]) => count > 0);
  if (all === 1) return `Its only consumer is ${states[0]?.[1] ?? ''}.`;
  const rest = states.map(([count, state]) => `${number(count)} ${state}`).join(', ');
  return `${sending === 0 ? 'None' : number(sending)} of its ${amount(all, 'consumer')} ${sending === 1 ? 'sends' : 'send'}: ${rest}.`;
}

/** Whether a note of a target's health is about something that can be mended in its settings. */
export function isOfSettings(note: string): boolean {
  return note.startsWith('Its client certificate ');
}

/** What is wrong with the target itself: the notes of its health but for counts of consumers. */
export function ownNotes({ health }: Pick<Target, 'health'>): string[] {
  return health.notes.filter((note) => !/^\d+ of its consumers (?:is|are) /u.test(note));
}
