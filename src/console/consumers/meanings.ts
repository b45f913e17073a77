import type { ConsumerStatus, ConsumerWith } from '../../schema/consumer.ts';

/** What each status, and what a consumer may have, means: a sentence for the list of those consumers. */
export const MEANINGS: Record<ConsumerStatus | ConsumerWith, string> = {
  active: 'Active: sends, or waits for entries.',
  paused: 'Paused: someone paused it; once resumed, it continues where it stopped.',
  blocked: 'Blocked: its endpoint fails, and its oldest entry is retried.',
  stopped: 'Stopped: it gave up, and sends nothing until someone resumes it.',
  parked:
    'Parked entry: refused by an endpoint that accepts others, and retried beside them for a while.',
  dead_letters:
    'Dead letter: refused until its retries ended, and kept until someone replays or deletes it.',
  cannot_start: "Can't send: something other than its endpoint keeps it from sending.",
};
