import { waitingInAll } from '../rules/waitingWords.ts';
import type { ConsumerAlertKind } from '../schema/alert.ts';
import { lastAnswerOf, reasonOf, sinceOf, waitsOf, type Named } from './alertFacts.ts';
import type { AlertItem } from './alertItem.ts';
import { moment, sayingOf, untilApart, type Saying } from './alertWords.ts';

/** A part of the text of an alert, in reading order. */
export interface Section {
  /** What happened. */
  lead: string | null;
  /** What to do first, and where; at most one section of an alert has one. */
  link: PageLink | null;
  facts: Named[];
  /** What happens next, and until when. */
  next: string[];
  commands: string[];
}

/** A page of the console. */
export interface PageLink {
  /** The sentence before its address. */
  before: string;
  url: string;
  /** What the link says where its address is not shown. */
  label: string;
}

/**
 * The sections of an alert: one, or for several consumers one that sums up what concerns them all, one for each
 * of them, and one with the commands.
 */
export function sectionsOf(kind: ConsumerAlertKind, items: readonly AlertItem[]): Section[] {
  const saying = sayingOf(kind, items[0]);
  const [first] = items;
  if (first === undefined) return [];
  const commands = new Set(
    items.map((item) => saying.command?.(item.consumer_id, item) ?? '').filter(Boolean),
  );
  if (items.length === 1) {
    return [
      {
        lead: saying.lead({ ...first, reason: reasonOf(first) }),
        link:
          saying.ofTarget === true
            ? linkTo('target', targetUrl(first), { saying, whom: 'it' })
            : linkTo('consumer', first.url, { saying, whom: 'it' }),
        facts: [['Endpoint', first.endpoint], ...summed(items, saying), ...waitsOf(first, saying)],
        next: [...kept(items, saying), saying.next(items), saying.todo],
        commands: [...commands],
      },
    ];
  }
  const each = items.map((item) => sectionOf(item, items, saying));
  const last: Section = { ...EMPTY, next: [saying.todoAll], commands: [...commands] };
  return [headOf(saying, items), ...each, ...(commands.size === 0 ? [] : [last])];
}

const EMPTY: Section = { lead: null, link: null, facts: [], next: [], commands: [] };

/** The section that sums up what concerns several consumers. */
function headOf(saying: Saying, items: readonly AlertItem[]): Section {
  const [first] = items as [AlertItem];
  const isOneReason = !saying.apart && items.every(({ reason }) => reason === first.reason);
  const why = isOneReason ? `: ${reasonOf(first)}` : '';
  const targets = targetsOf(items);
  const whose = targets > 1 ? `${targets} targets` : `"${first.target}"`;
  const facts = summed(items, saying);
  if (isOneEndpoint(items)) facts.unshift(['Endpoint', first.endpoint]);
  const waiting = items.map(({ waiting: entries, waiting_exact: exact = false }) => ({
    entries,
    exact,
  }));
  if (saying.waits !== null && waiting.some(({ entries }) => entries > 0))
    facts.push(['Waiting', waitingInAll(waiting)]);
  const { target_id: id } = first;
  const about = { saying, whom: `all ${items.length}` };
  return {
    lead: `${items.length} consumers of ${whose} ${saying.leadAll}${why}.`,
    link:
      targets > 1 || id === undefined // as in items of older versions
        ? linkTo('consumers', `${new URL(first.url).origin}/consumers`, about)
        : linkTo('target', targetUrl(first), about),
    facts,
    next: [
      ...kept(items, saying),
      (saying.nextAll ?? saying.next)(items),
      ...(saying.command === null ? [saying.todoAll] : []),
    ],
    commands: [],
  };
}

function targetUrl({ url, target_id: id }: AlertItem): string {
  return `${new URL(url).origin}/targets/${id}`;
}

/** The section for one of several consumers: what the head does not say of it. */
function sectionOf(item: AlertItem, items: readonly AlertItem[], saying: Saying): Section {
  const facts: Named[] = [['Consumer', item.name]];
  if (targetsOf(items) > 1) facts.push(['Target', item.target]);
  if (!isOneEndpoint(items)) facts.push(['Endpoint', item.endpoint]);
  const since = sinceOf(item, saying);
  if (since !== null && !isAlike(items, (one) => minuteOf(sinceOf(one, saying)?.[1])))
    facts.push([since[0], moment(since[1])]);
  const answer = lastAnswerOf(item);
  if (answer !== null && !isAlike(items, (one) => lastAnswerOf(one)?.[1]))
    facts.push(withTime(answer, item));
  if (untilApart(items) && item.retries_until !== undefined)
    facts.push(['Retries until', moment(item.retries_until)]);
  if (saying.apart) facts.push(['Events', item.reason]);
  return { ...EMPTY, facts: [...facts, ...waitsOf(item, saying)] };
}

/** Since when, and the last answer: the earliest and the newest of all, where all have one. */
function summed(items: readonly AlertItem[], saying: Saying): Named[] {
  const facts: Named[] = [];
  const sinces = items.map((item) => sinceOf(item, saying));
  const [name, earliest] = sinces
    .filter((since) => since !== null)
    .reduce((a, b) => (Date.parse(b[1]) < Date.parse(a[1]) ? b : a), sinces[0] ?? ['', '']);
  if (!sinces.includes(null)) {
    const isFirst = isAlike(items, (item) => minuteOf(sinceOf(item, saying)?.[1]));
    facts.push([name, `${moment(earliest)}${isFirst ? '' : ' (the first of them)'}`]);
  }
  const answered = items.filter(({ last_failure: failure }) => failure !== null);
  const newest = answered.toSorted((a, b) => atOf(b) - atOf(a))[0];
  const answer = newest === undefined ? null : lastAnswerOf(newest);
  if (newest !== undefined && answer !== null && answered.length === items.length)
    facts.push(withTime(answer, newest));
  return facts;
}

function atOf({ last_failure: failure }: AlertItem): number {
  return failure === null ? 0 : Date.parse(failure.at);
}

function minuteOf(time: string | undefined): string | undefined {
  return time && moment(time);
}

function withTime([name, words]: Named, { last_failure: failure }: AlertItem): Named {
  return [name, failure === null ? words : `${words} (${moment(failure.at)})`];
}

/** That nothing is lost, if anything waits, and until when what waits is kept if that is known. */
function kept(items: readonly AlertItem[], { waits }: Saying): string[] {
  const waiting = items.filter((item) => item.waiting > 0);
  if (waits === null || waiting.length === 0) return [];
  const ends = waiting.map(({ kept_until: end }) => end).filter((end) => end !== null);
  const [earliest] = ends.filter((end) => end !== undefined).toSorted();
  if (earliest === undefined || ends.includes(undefined)) return [waits];
  return [`${waits} What waits is kept until ${moment(earliest)} at least.`];
}

const PAGES = {
  consumer: ["the consumer's page", 'the consumer'],
  target: ["the target's page", 'the target'],
  consumers: ['the list of consumers', 'the consumers'],
} as const;

function linkTo(
  page: keyof typeof PAGES,
  url: string,
  { saying: { act }, whom }: { saying: Saying; whom: string },
): PageLink {
  const [where, what] = PAGES[page];
  if (act === undefined) return { before: `See ${where}:`, url, label: `Open ${what}` };
  return {
    before: `${act.when} open ${where} and ${act.verb} ${whom} there:`,
    url,
    label: `Open ${what} and ${act.verb} ${whom}`,
  };
}

/** How many targets several consumers have. */
export function targetsOf(items: readonly AlertItem[]): number {
  return new Set(items.map(({ target_id: id, target }) => id ?? target)).size;
}

function isOneEndpoint(items: readonly AlertItem[]): boolean {
  return isAlike(items, ({ endpoint }) => endpoint);
}

function isAlike(
  items: readonly AlertItem[],
  of: (item: AlertItem) => string | undefined,
): boolean {
  return new Set(items.map(of)).size === 1;
}
