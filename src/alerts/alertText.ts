import { amount } from '../rules/words.ts';
import type { AlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';

/** The words of one kind of alert; `all` is used for several consumers together. */
interface Saying {
  subject: string;
  lead: (item: AlertItem) => string;
  all: string;
  /** Whether each of several consumers has a reason of its own. */
  apart?: true;
  /** The sentence after the number of waiting entries; null: the number is not given. */
  waits: string | null;
  next: string;
  command: ((consumerId: string) => string) | null;
}

const resume = (consumerId: string): string => `millrace consumers resume ${consumerId}`;
const show = (consumerId: string): string => `millrace consumers get ${consumerId}`;
const SAYS: Record<Exclude<AlertKind, 'retention'> | 'aging' | 'lost' | 'cannotStart', Saying> = {
  warning: {
    subject: 'Failing',
    lead: ({ name, reason }) => `Consumer "${name}" has been failing for a while: ${reason}.`,
    all: 'have been failing for a while',
    waits: 'Nothing is lost.',
    next: 'It is tried again by itself until the retry window ends. To try at once:',
    command: (consumerId) => `millrace retry ${consumerId}`,
  },
  cannotStart: {
    subject: 'Cannot be sent to',
    lead: ({ name, reason }) => `Consumer "${name}" can't be sent to. ${reason}.`,
    all: "can't be sent to",
    waits: 'Nothing is lost.',
    next: 'This is not the fault of the endpoint. It is tried again every few minutes, and at once after a change of the consumer or its target. To try at once:',
    command: (consumerId) => `millrace retry ${consumerId}`,
  },
  stopped: {
    subject: 'Stopped',
    lead: ({ name, reason }) => `Consumer "${name}" has stopped: ${reason}.`,
    all: 'have stopped',
    waits: 'Nothing is lost.',
    next: 'Nothing more is sent until someone resumes it. When the endpoint is well again:',
    command: resume,
  },
  gone: {
    subject: 'Stopped, the endpoint is gone',
    lead: ({ name, reason }) => `Consumer "${name}" has stopped: ${reason}.`,
    all: 'have stopped: the endpoint is gone',
    waits: 'Nothing is lost.',
    next: 'Nothing more is sent until someone resumes it. When there is an endpoint again:',
    command: resume,
  },
  recovered: {
    subject: 'Recovered',
    lead: ({ name, reason }) => `Consumer "${name}" has recovered: ${reason}.`,
    all: 'have recovered',
    waits: 'Nothing is lost.',
    next: 'What waits is being sent now. There is nothing to do.',
    command: null,
  },
  'dead-letters': {
    subject: 'Dead letters',
    lead: ({ name, reason }) => `Consumer "${name}": ${reason}.`,
    all: 'have new dead letters',
    waits: 'Nothing is lost.',
    next: 'They are kept with their bodies. When the receiver takes them, send them again in order:',
    command: (consumerId) => `millrace dead-letters replay ${consumerId} --all`,
  },
  aging: {
    subject: 'Events will be lost',
    lead: ({ name, reason }) => `Consumer "${name}" is about to lose events: ${reason}.`,
    all: 'are about to lose events',
    apart: true,
    waits: 'Nothing is lost yet.',
    next: 'Have them sent before, or set MILLRACE_EVENT_RETENTION higher. To see what holds them up:',
    command: show,
  },
  lost: {
    subject: 'Events lost',
    lead: ({ name, reason }) => `Consumer "${name}" has lost events: ${reason}.`,
    all: 'have lost events',
    apart: true,
    waits: null,
    next: 'They are gone from the stream; what came after them is kept. To see what holds it up:',
    command: show,
  },
};

function sayingOf(kind: AlertKind, first: AlertItem | undefined): Saying {
  if (kind === 'warning' && first?.cannot_start !== undefined) return SAYS.cannotStart;
  if (kind !== 'retention') return SAYS[kind];
  return first?.first === undefined ? SAYS.aging : SAYS.lost;
}

/** The subject of a mail: the kind of alert, the consumer or how many there are, and the target. */
export function mailSubject(kind: AlertKind, items: readonly AlertItem[]): string {
  const [first] = items;
  const who = items.length === 1 ? first?.name : `${items.length} consumers`;
  return `${sayingOf(kind, first).subject}: ${who} → ${first?.target}`.replaceAll(/\p{Cc}/gu, ' ');
}

/** The plain text of a mail: a section for each consumer, after what several have in common. */
export function mailText(kind: AlertKind, items: readonly AlertItem[]): string {
  const lines: string[] = [];
  for (const { lead, facts, next, command, link } of sectionsOf(kind, items)) {
    if (lead !== null) lines.push(lead, '');
    for (const [name, value] of facts) lines.push(`${`${name}:`.padEnd(15)}${value}`);
    if (next !== null) lines.push('', next);
    lines.push('');
    if (command !== null) lines.push(`  ${command}`);
    if (link !== null) lines.push(`  ${link}`, '');
  }
  return lines.join('\n');
}

/** The HTML of a mail, in the same words as its text; everything from outside is escaped. */
export function mailHtml(kind: AlertKind, items: readonly AlertItem[]): string {
  const lines: string[] = [];
  for (const { lead, facts, next, command, link } of sectionsOf(kind, items)) {
    if (lead !== null) lines.push(`<p><strong>${escape(lead)}</strong></p>`);
    const rows = facts.map(
      ([name, value]) => `<tr><td>${escape(name)}</td><td>${escape(value)}</td></tr>`,
    );
    lines.push(`<table>${rows.join('')}</table>`);
    if (next !== null) lines.push(`<p>${escape(next)}</p>`);
    if (command !== null) lines.push(`<pre>${escape(command)}</pre>`);
    if (link !== null) lines.push(`<p><a href="${escape(link)}">${escape(link)}</a></p>`);
  }
  return lines.join('\n');
}

interface Section {
  lead: string | null;
  facts: [name: string, value: string][];
  next: string | null;
  command: string | null;
  link: string | null;
}

/** The sections of a mail: one for each consumer, after one for what several consumers share. */
function sectionsOf(kind: AlertKind, items: readonly AlertItem[]): Section[] {
  const saying = sayingOf(kind, items[0]);
  const { lead, next, command, all, apart } = saying;
  const of = ({ consumer_id, url }: AlertItem) => ({
    command: command === null ? null : command(consumer_id),
    link: url,
  });
  const [first] = items;
  if (first === undefined) return [];
  if (items.length === 1) {
    const facts: Section['facts'] = [...sharedFacts(first), ...ownFacts(first, saying)];
    return [{ lead: lead(first), facts, next, ...of(first) }];
  }
  const head = {
    lead: `${items.length} consumers of "${first.target}" ${all}${apart ? '' : `: ${first.reason}`}.`,
    facts: [['Endpoint', first.endpoint]] as Section['facts'],
    next,
    command: null,
    link: null,
  };
  const each = items.map((item): Section => {
    const facts: Section['facts'] = [['Consumer', item.name], ...sharedFacts(item).slice(1)];
    if (apart) facts.push(['Events', item.reason]);
    return { lead: null, facts: [...facts, ...ownFacts(item, saying)], next: null, ...of(item) };
  });
  return [head, ...each];
}

function sharedFacts({
  endpoint,
  failing_since,
  last_failure,
  cannot_start,
}: AlertItem): Section['facts'] {
  const facts: Section['facts'] = [['Endpoint', endpoint]];
  if (cannot_start !== undefined) facts.push(['Since', cannot_start.since]);
  if (failing_since !== null) facts.push(['Failing since', failing_since]);
  if (last_failure === null) return facts;
  const { code, detail, at } = last_failure;
  return [...facts, ['Last answer', `${code}, ${detail} (${at})`]];
}

function ownFacts(
  { waiting, waiting_exact, position }: AlertItem,
  { waits }: Saying,
): Section['facts'] {
  if (waits === null) return [];
  const many = `${waiting_exact === true ? '' : 'up to '}${amount(waiting, 'entry', 'entries')}`;
  const text = waiting === 0 ? 'nothing' : `${many}, from position ${position + 1}`;
  return [['Waiting', `${text}. ${waits}`]];
}

const ENTITIES: Record<string, string> = {
  '&': '&amp;',
  '<': '&lt;',
  '>': '&gt;',
  '"': '&quot;',
  "'": '&#39;',
};

function escape(text: string): string {
  return text.replaceAll(/[&<>"']/gu, (character) => ENTITIES[character] ?? character);
}

type Written = [items: string, subject: string, body: string, html: string, headers: string];

/** The columns of a mail's row that depend on its items. */
export function written(kind: AlertKind, items: AlertItem[]): Written {
  const headers = {
    'X-Millrace-Alert': kind === 'retention' ? 'warning' : kind, // the header has five documented values
    'X-Millrace-Consumer': items.map((item) => item.consumer_id).join(', '),
  };
  return [
    JSON.stringify(items),
    mailSubject(kind, items),
    mailText(kind, items),
    mailHtml(kind, items),
    JSON.stringify(headers),
  ];
}
