import type { AlertItem, AlertKind } from './alerts.ts';

/** What a kind of alert says; `all` is said of several consumers at once. */
interface Saying {
  subject: string;
  lead: (item: AlertItem) => string;
  all: string;
  next: string;
  command: ((consumerId: string) => string) | null;
}

const resume = (consumerId: string): string => `millrace consumers resume ${consumerId}`;
const SAYS: Record<AlertKind, Saying> = {
  warning: {
    subject: 'Failing',
    lead: ({ name, reason }) => `Consumer "${name}" has been failing for a while: ${reason}.`,
    all: 'have been failing for a while',
    next: 'It is tried again by itself until the retry window ends. To try at once:',
    command: (consumerId) => `millrace retry ${consumerId}`,
  },
  stopped: {
    subject: 'Stopped',
    lead: ({ name, reason }) => `Consumer "${name}" has stopped: ${reason}.`,
    all: 'have stopped',
    next: 'Nothing more is sent until someone resumes it. When the endpoint is well again:',
    command: resume,
  },
  gone: {
    subject: 'Stopped, the endpoint is gone',
    lead: ({ name, reason }) => `Consumer "${name}" has stopped: ${reason}.`,
    all: 'have stopped: the endpoint is gone',
    next: 'Nothing more is sent until someone resumes it. When there is an endpoint again:',
    command: resume,
  },
  recovered: {
    subject: 'Recovered',
    lead: ({ name, reason }) => `Consumer "${name}" has recovered: ${reason}.`,
    all: 'have recovered',
    next: 'What waits is being sent now. There is nothing to do.',
    command: null,
  },
  'dead-letters': {
    subject: 'Dead letters',
    lead: ({ name, reason }) => `Consumer "${name}": ${reason}.`,
    all: 'have new dead letters',
    next: 'They are kept with their bodies. When the receiver takes them, send them again in order:',
    command: (consumerId) => `millrace dead-letters replay ${consumerId} --all`,
  },
};

/** Says it all in a list of mails. */
export function mailSubject(kind: AlertKind, items: readonly AlertItem[]): string {
  const [first] = items;
  const who = items.length === 1 ? first?.name : `${items.length} consumers`;
  return `${SAYS[kind].subject}: ${who} → ${first?.target}`.replaceAll(/\p{Cc}/gu, ' ');
}

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

/** The same words as the text; everything that came from outside is escaped. */
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

/** One section for one consumer; for several of one target, what they share comes first. */
function sectionsOf(kind: AlertKind, items: readonly AlertItem[]): Section[] {
  const { lead, next, command, all } = SAYS[kind];
  const of = ({ consumer_id, url }: AlertItem) => ({
    command: command === null ? null : command(consumer_id),
    link: url,
  });
  const [first] = items;
  if (first === undefined) return [];
  if (items.length === 1) {
    const facts: Section['facts'] = [...sharedFacts(first), ...ownFacts(first)];
    return [{ lead: lead(first), facts, next, ...of(first) }];
  }
  const head = {
    lead: `${items.length} consumers of "${first.target}" ${all}: ${first.reason}.`,
    facts: [['Endpoint', first.endpoint]] as Section['facts'],
    next,
    command: null,
    link: null,
  };
  const each = items.map((item): Section => {
    const facts: Section['facts'] = [['Consumer', item.name], ...sharedFacts(item).slice(1)];
    return { lead: null, facts: [...facts, ...ownFacts(item)], next: null, ...of(item) };
  });
  return [head, ...each];
}

function sharedFacts({ endpoint, failing_since, last_failure }: AlertItem): Section['facts'] {
  const facts: Section['facts'] = [['Endpoint', endpoint]];
  if (failing_since !== null) facts.push(['Failing since', failing_since]);
  if (last_failure === null) return facts;
  const { code, detail, at } = last_failure;
  return [...facts, ['Last answer', `${code}, ${detail} (${at})`]];
}

function ownFacts({ waiting, position }: AlertItem): Section['facts'] {
  const from = waiting === 0 ? '' : `, from position ${position + 1}`;
  return [['Waiting', `up to ${waiting} entries${from}. Nothing is lost.`]];
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
