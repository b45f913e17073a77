import { amount } from '../rules/words.ts';
import type { AlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';
import { moment, sayingOf, untilApart, type Saying } from './alertWords.ts';

/** A part of the text of an alert, in reading order. */
export interface Section {
  /** What happened. */
  lead: string | null;
  facts: [name: string, value: string][];
  /** What happens next, until when, and what to do. */
  next: string[];
  command: string | null;
  /** A page of the console; at most one section of an alert has one. */
  link: string | null;
}

/**
 * The sections of an alert: one, or for several consumers one for what they have in common and one for each of
 * them.
 */
export function sectionsOf(kind: AlertKind, items: readonly AlertItem[]): Section[] {
  const saying = sayingOf(kind, items[0]);
  const [first] = items;
  if (first === undefined) return [];
  if (items.length === 1) {
    return [
      {
        lead: saying.lead(first),
        facts: [
          ['Endpoint', first.endpoint],
          ...sharedFacts(first, saying),
          ...ownFacts(first, saying),
        ],
        next: [saying.next(items), saying.todo],
        command: saying.command?.(first.consumer_id) ?? null,
        link: first.url,
      },
    ];
  }
  const isOneEndpoint = items.every(({ endpoint }) => endpoint === first.endpoint);
  const isUntilApart = untilApart(items);
  const each = items.map((item): Section => {
    const facts: Section['facts'] = [['Consumer', item.name]];
    if (targetsOf(items) > 1) facts.push(['Target', item.target]);
    if (!isOneEndpoint) facts.push(['Endpoint', item.endpoint]);
    facts.push(...sharedFacts(item, saying));
    if (isUntilApart && item.retries_until !== undefined)
      facts.push(['Retries until', moment(item.retries_until)]);
    if (saying.apart) facts.push(['Events', item.reason]);
    return {
      lead: null,
      facts: [...facts, ...ownFacts(item, saying)],
      next: [],
      command: saying.command?.(item.consumer_id) ?? null,
      link: null,
    };
  });
  return [headOf(saying, items, isOneEndpoint ? first.endpoint : null), ...each];
}

/** The section for what several consumers have in common. */
function headOf(saying: Saying, items: readonly AlertItem[], endpoint: string | null): Section {
  const [first] = items as [AlertItem];
  const isOneReason = !saying.apart && items.every(({ reason }) => reason === first.reason);
  const why = isOneReason ? `: ${first.reason}` : '';
  const targets = targetsOf(items);
  const whose = targets > 1 ? `${targets} targets` : `"${first.target}"`;
  return {
    lead: `${items.length} consumers of ${whose} ${saying.leadAll}${why}.`,
    facts: endpoint === null ? [] : [['Endpoint', endpoint]],
    next: [(saying.nextAll ?? saying.next)(items), saying.todoAll],
    command: null,
    link: targets > 1 ? allConsumers(first) : targetPage(first),
  };
}

/** How many targets several consumers have. */
export function targetsOf(items: readonly AlertItem[]): number {
  return new Set(items.map(({ target_id: id, target }) => id ?? target)).size;
}

/** The page of the target, which lists its consumers; for items of older versions, the list of all consumers. */
function targetPage(item: AlertItem): string {
  const { url, target_id: id } = item;
  return id === undefined ? allConsumers(item) : `${new URL(url).origin}/targets/${id}`;
}

function allConsumers({ url }: AlertItem): string {
  return `${new URL(url).origin}/consumers`;
}

function sharedFacts(
  { failing_since, last_failure, cannot_start }: AlertItem,
  { since = 'Failing since' }: Saying,
): Section['facts'] {
  const facts: Section['facts'] = [];
  if (cannot_start !== undefined) facts.push(['Since', moment(cannot_start.since)]);
  if (failing_since !== null) facts.push([since, moment(failing_since)]);
  if (last_failure === null) return facts;
  const { code, detail, at } = last_failure;
  return [...facts, ['Last failure', `${code}, ${detail} (${moment(at)})`]];
}

function ownFacts(
  { waiting, waiting_exact, position }: AlertItem,
  { waits }: Saying,
): Section['facts'] {
  if (waits === null || waiting === 0) return [];
  const many = `${waiting_exact === true ? '' : 'up to '}${amount(waiting, 'entry', 'entries')}`;
  return [['Waiting', `${many}, from position ${position + 1}. ${waits}`]];
}
