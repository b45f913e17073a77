import type { SearchHit } from '../../schema/search.ts';
import { PLACES } from '../places.ts';
import { printSearch } from '../search.ts';
import { number } from '../words.ts';

/** One result that can be opened. */
export interface Choice {
  key: string;
  kind: ChoiceKind;
  text: string;
  about: string;
  href: string;
}

export type ChoiceKind = 'page' | SearchHit['kind'];

/** The headings of the kinds. */
export const KINDS: Record<ChoiceKind, string> = {
  page: 'Pages',
  consumer: 'Consumers',
  target: 'Targets',
  source: 'Sources',
  sync: 'Syncs',
  record: 'Records',
  event: 'Events',
  batch: 'Batches',
};

/** Pages that the navigation does not have. */
const FURTHER = [
  { to: '/consumers/new', title: 'New consumer: webhooks' },
  { to: '/targets/new', title: 'New target: webhook endpoint' },
  { to: '/sources/new', title: 'New source: Postgres' },
  { to: '/settings?tab=keys', title: 'API keys' },
  { to: '/settings?tab=changes', title: 'Changes to consumers' },
];

/** The pages of the console in whose titles a word begins with each word of the text; without a text, the navigation. */
export function pagesFor(text: string): Choice[] {
  const wanted = wordsOf(text);
  const pages = wanted.length === 0 ? PLACES : [...PLACES, ...FURTHER];
  return pages
    .filter(({ title }) => {
      const words = wordsOf(title);
      return wanted.every((one) => words.some((word) => word.startsWith(one)));
    })
    .map(({ to, title }) => ({ key: to, kind: 'page', text: title, about: '', href: to }));
}

function wordsOf(text: string): string[] {
  return text
    .toLowerCase()
    .split(/[\s:]+/u)
    .filter((word) => word !== '');
}

/** The results, each with the page that shows it. */
export function choicesOf(hits: readonly SearchHit[]): Choice[] {
  return hits.map((hit) => {
    const shown = SHOWN[hit.kind](hit as never);
    return { ...shown, kind: hit.kind, key: `${hit.kind} ${shown.href}` };
  });
}

type Shown<K extends SearchHit['kind']> = (
  hit: Extract<SearchHit, { kind: K }>,
) => Pick<Choice, 'text' | 'about' | 'href'>;

const SHOWN: { [K in SearchHit['kind']]: Shown<K> } = {
  consumer: ({ id, name, status, target_name }) => ({
    text: name,
    about: `${status}, to ${target_name}`,
    href: `/consumers/${id}`,
  }),
  target: ({ id, name, base_url }) => ({ text: name, about: base_url, href: `/targets/${id}` }),
  source: ({ id, name, status, sync_id }) => ({
    text: name,
    about: `${status}, into ${sync_id}`,
    href: `/sources/${id}`,
  }),
  sync: ({ sync_id, name }) => ({
    text: name ?? sync_id,
    about: name === null ? '' : sync_id,
    href: `/streams${printSearch({ sync: sync_id })}`,
  }),
  record: ({ upstream_id, collection_id, position, deleted, version_id, cursor }) => ({
    text: upstream_id,
    about: `${deleted ? 'deleted, ' : ''}${collection_id}, position ${number(position)}`,
    href: `/streams${printSearch({ stream: 'records', record: version_id, at: cursor })}`,
  }),
  event: ({ event_id, event, upstream_id, collection_id, position }) => ({
    text: `${event} ${upstream_id}`,
    about: `${collection_id}, position ${number(position)}`,
    href: `/streams${printSearch({ entry: event_id })}`,
  }),
  batch: ({ message_id, consumer_id, consumer_name, batch_size, outcome, status, error_code }) => ({
    text: consumer_name,
    about: `${number(batch_size)} entries, ${outcome} (${status ?? error_code})`,
    href: `/consumers/${consumer_id}${printSearch({ event: message_id })}`,
  }),
};

/** The choices of each kind, in the order of the list. */
export function byKind(choices: readonly Choice[]): { kind: ChoiceKind; choices: Choice[] }[] {
  const groups: { kind: ChoiceKind; choices: Choice[] }[] = [];
  for (const choice of choices) {
    const last = groups.at(-1);
    if (last?.kind === choice.kind) last.choices.push(choice);
    else groups.push({ kind: choice.kind, choices: [choice] });
  }
  return groups;
}
