import type { ConsumerAlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';

/** What to do on a page: `when`, open it and `verb` the consumers there. */
interface PageAct {
  when: string;
  verb: string;
}

/** The words of one kind of alert about consumers; those ending in `All` are for several consumers together. */
export interface Saying {
  subject: string;
  lead: (item: AlertItem) => string;
  leadAll: string;
  /** Set if each of several consumers has a reason of its own. */
  apart?: true;
  /** What is said of the entries that wait; null: not even their number is given. */
  waits: string | null;
  /** The name of the time since which the endpoint has failed; "Failing since" unless given. */
  since?: string;
  /** What happens next, and until when. */
  next: (items: readonly AlertItem[]) => string;
  nextAll?: (items: readonly AlertItem[]) => string;
  /** What to do first, on the page that the alert links to; "See" unless given. */
  act?: PageAct;
  /** What stands before the commands, or that there is nothing to do. */
  todo: string;
  todoAll: string;
  command: ((consumerId: string, item: AlertItem) => string) | null;
  /** Set if it is about the target of its consumers, and leads to the target's page. */
  ofTarget?: true;
}

const resume = (consumerId: string): string => `millrace consumers resume ${consumerId}`;
const show = (consumerId: string): string => `millrace consumers get ${consumerId}`;
const retry = (consumerId: string): string => `millrace retry ${consumerId}`;

const replaceCertificate = (_consumerId: string, { target_id: id }: AlertItem): string =>
  `millrace targets update ${id} --client-certificate FILE --client-key FILE`;
const REPLACE =
  'Once it has ended, the endpoint will refuse connections. Save a new certificate with its key for the target; it is used from the next attempt on.';

const STAYS =
  'Nothing more is sent until someone resumes it. It then continues exactly where it stopped. A mail warns you before waiting events become too old to be kept.';
const ALL_STAY =
  'Nothing more is sent until someone resumes them. They then continue exactly where they stopped. A mail warns you before waiting events become too old to be kept.';

/** The subject of an alert: its kind, or a distinction between alerts of one kind. */
export type Matter = Exclude<ConsumerAlertKind, 'retention'> | 'aging' | 'lost' | 'cannotStart';

const SAYS: Record<Matter, Saying> = {
  warning: {
    subject: 'Failing',
    lead: ({ name, reason }) => `Consumer "${name}" is failing: ${reason}.`,
    leadAll: 'are failing',
    waits: 'Nothing is lost.',
    next: (items) =>
      `Retries continue automatically until ${untilOf(items)}. If it still fails then, the consumer stops and keeps its position, and a mail says so.`,
    nextAll: (items) =>
      `Retries continue automatically until ${untilOf(items)}. A consumer that still fails then stops and keeps its position, and a mail says so.`,
    act: { when: 'Find out why the endpoint fails, and fix it. To retry at once,', verb: 'retry' },
    todo: 'To retry by a command:',
    todoAll: 'To retry by commands, in the order above:',
    command: retry,
  },
  cannotStart: {
    subject: 'Cannot send',
    lead: ({ name, reason }) => `Consumer "${name}" can't send. ${reason}.`,
    leadAll: "can't send",
    waits: 'Nothing is lost.',
    next: () =>
      'This is not the fault of the endpoint. The consumer is started again every few minutes until it can send, and immediately after a change of the consumer or its target.',
    nextAll: () =>
      'This is not the fault of the endpoint. The consumers are started again every few minutes until they can send, and immediately after a change of the consumer or the target.',
    todo: 'Once you have fixed what is named above, start it now:',
    todoAll: 'Once you have fixed what is named above, start them now, in the order above:',
    command: retry,
  },
  stopped: {
    subject: 'Stopped',
    lead: ({ name, reason }) => `Consumer "${name}" has stopped: ${reason}.`,
    leadAll: 'have stopped',
    waits: 'Nothing is lost.',
    next: () => STAYS,
    nextAll: () => ALL_STAY,
    act: { when: 'Once the endpoint is healthy,', verb: 'resume' },
    todo: 'To resume it by a command:',
    todoAll: 'To resume them by commands, in the order above:',
    command: resume,
  },
  gone: {
    subject: 'Stopped, the endpoint is gone',
    lead: ({ name, reason }) => `Consumer "${name}" has stopped: ${reason}.`,
    leadAll: 'have stopped: the endpoint is gone',
    waits: 'Nothing is lost.',
    next: () => STAYS,
    nextAll: () => ALL_STAY,
    act: { when: 'Once there is an endpoint again,', verb: 'resume' },
    todo: 'To resume it by a command:',
    todoAll: 'To resume them by commands, in the order above:',
    command: resume,
  },
  recovered: {
    subject: 'Recovered',
    lead: ({ name, reason }) => `Consumer "${name}" has recovered: ${reason}.`,
    leadAll: 'have recovered',
    since: 'Failed since',
    waits: 'Nothing is lost.',
    next: () => 'The waiting entries are being sent now.',
    todo: 'No action is needed.',
    todoAll: 'No action is needed.',
    command: null,
  },
  'dead-letters': {
    subject: 'Dead letters',
    lead: ({ name, reason }) => `Consumer "${name}": ${reason}.`,
    leadAll: 'have new dead letters',
    waits: 'Nothing is lost.',
    next: () =>
      'They are kept with their bodies until someone sends them again or deletes them. Other entries are sent as before.',
    todo: 'Once the endpoint accepts them, send them again, in order:',
    todoAll: 'Once the endpoint accepts them, send them again, consumer by consumer as above:',
    command: (consumerId) => `millrace dead-letters replay ${consumerId} --all`,
  },
  aging: {
    subject: 'Events will be lost',
    lead: ({ name, reason }) => `Consumer "${name}" is about to lose events: ${reason}.`,
    leadAll: 'are about to lose events',
    apart: true,
    waits: 'Nothing is lost yet.',
    next: () =>
      'Events that are still waiting when they reach that age are dropped unsent. Make sure that they are sent before that, or raise MILLRACE_EVENT_RETENTION.',
    todo: 'To see what holds them up:',
    todoAll: 'To see what holds them up, in the order above:',
    command: show,
  },
  certificate: {
    subject: 'Client certificate ends',
    lead: ({ target, reason }) =>
      `The client certificate for target "${target}" has to be replaced: ${reason}.`,
    leadAll: 'send with a client certificate that has to be replaced',
    waits: null,
    next: () => REPLACE,
    todo: 'To replace it by a command:',
    todoAll: 'To replace it by a command:',
    command: replaceCertificate,
    ofTarget: true,
  },
  lost: {
    subject: 'Events lost',
    lead: ({ name, reason }) => `Consumer "${name}" has lost events: ${reason}.`,
    leadAll: 'have lost events',
    apart: true,
    waits: null,
    next: () => 'They are no longer in the stream. Later events are kept.',
    todo: 'To see what holds it up:',
    todoAll: 'To see what holds them up, in the order above:',
    command: show,
  },
};

/** The words for an alert of this kind about these consumers. */
export function sayingOf(kind: ConsumerAlertKind, first: AlertItem | undefined): Saying {
  return SAYS[matterOf(kind, first)];
}

/** The subject of an alert of this kind about these consumers. */
export function matterOf(kind: ConsumerAlertKind, first: AlertItem | undefined): Matter {
  if (kind === 'retention') return first?.first === undefined ? 'aging' : 'lost';
  return kind === 'warning' && first?.cannot_start !== undefined ? 'cannotStart' : kind;
}

/** Prints an RFC 3339 time for people, to the minute: `2026-11-23 11:52 UTC`. */
export function moment(time: string): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

/** Whether each of them is retried until another minute. */
export function untilApart(items: readonly AlertItem[]): boolean {
  return new Set(items.map(({ retries_until: until }) => until && moment(until))).size > 1;
}

function untilOf(items: readonly AlertItem[]): string {
  if (untilApart(items)) return 'the time given for each';
  const until = items[0]?.retries_until;
  return until === undefined ? 'the retry window ends' : moment(until);
}
