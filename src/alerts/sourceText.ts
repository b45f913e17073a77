import { inWords, sizeInWords } from '../rules/words.ts';
import type { SourceAlertKind } from '../schema/alert.ts';
import type { Named } from './alertFacts.ts';
import type { Section } from './alertSections.ts';
import { moment } from './alertWords.ts';
import type { SourceItem } from './sourceItem.ts';

/** The words of one kind of alert about a source. */
interface Saying {
  subject: string;
  /** What stands between the source's name and the reason. */
  verb: string;
  /** What to do first, on the source's page. */
  act: string;
  /** The name of the time since which it is so. */
  since: string;
  /** What happens next. */
  next: string;
  /** What stands before the commands, or that there is nothing to do. */
  todo: string;
  commands: (item: SourceItem) => string[];
}

const get = ({ source_id: id }: SourceItem): string[] => [`millrace sources get ${id}`];

const KEEPS =
  'Until then its database keeps its log, from the last change on that is stored here. That takes up disk there.';

const SAYS: Record<SourceAlertKind, Saying> = {
  'source-failed': {
    subject: 'Source failed',
    verb: 'has failed',
    act: 'Fix what is named above. Then open the source and resume it there:',
    since: 'Failed since',
    next: `Nothing more is read until someone resumes it. It then continues exactly where it was. ${KEEPS}`,
    todo: 'To resume it by a command:',
    commands: ({ source_id: id }) => [`millrace sources resume ${id}`],
  },
  'source-interrupted': {
    subject: 'Source interrupted',
    verb: "can't be followed",
    act: 'See the source:',
    since: 'Since',
    next: `It is tried again and again, and continues by itself exactly where it was. ${KEEPS}`,
    todo: 'To see how it stands by a command:',
    commands: get,
  },
  'source-behind': {
    subject: 'Source behind',
    verb: 'is behind',
    act: 'See the source:',
    since: 'Measured',
    next: 'Nothing is lost yet. Its database keeps this part of its log, which takes up disk there, until it is stored here. If the slot is lost, its tables are read anew, and changes in between that were undone are not seen.',
    todo: 'To see what holds it up by a command:',
    commands: get,
  },
  'source-silent': {
    subject: 'Source silent',
    verb: 'is silent',
    act: 'Find out whether its tables still change. See the source:',
    since: 'Last change',
    next: 'A mail follows when they change again. If so long a silence is normal for it, raise its expect_within.',
    todo: 'To see how it stands by a command:',
    commands: get,
  },
  'source-asking': {
    subject: 'Source asks',
    verb: 'asks',
    act: 'Check whether these records are really gone from its database. If they are, open the source and confirm it there:',
    since: 'Since',
    next: 'Nothing is deleted until someone confirms it. Changes of its tables are followed meanwhile.',
    todo: 'To confirm it by a command:',
    commands: ({ source_id: id, tables }) => [
      `millrace sources snapshot ${id} ${tables.map((table) => `--table ${argument(table)} `).join('')}--confirm`,
    ],
  },
  'source-recovered': {
    subject: 'Source recovered',
    verb: 'has recovered',
    act: 'See the source:',
    since: 'Since',
    next: 'It continues where it was.',
    todo: 'No action is needed.',
    commands: () => [],
  },
};

/** The subject of a mail about a source. */
export function sourceSubject(kind: SourceAlertKind, { name }: SourceItem): string {
  return `${SAYS[kind].subject}: ${name}`.replaceAll(/\p{Cc}/gu, ' ');
}

/** The text of an alert about a source, as the one section that it has. */
export function sourceSections(kind: SourceAlertKind, item: SourceItem): Section[] {
  const { verb, act, since, next, todo, commands } = SAYS[kind];
  const facts: Named[] = [['Database', item.database]];
  facts.push([since, moment(item.since)], ...lagOf(item));
  return [
    {
      lead: `Source "${item.name}" ${verb}: ${item.reason}.`,
      link: { before: act, url: item.url, label: 'Open the source' },
      facts,
      next: [next, todo],
      commands: commands(item),
    },
  ];
}

function lagOf({
  lag_bytes: bytes,
  lag_seconds: seconds,
  limit_bytes: limit,
}: SourceItem): Named[] {
  if (bytes === null) return [];
  const age = seconds === null || seconds < 1 ? '' : `, ${inWords(seconds * 1_000)}`;
  const end = limit === null ? '' : ` of at most ${sizeInWords(limit)}`;
  return [['Not stored', `${sizeInWords(bytes)}${end}${age}`]];
}

/** A word for a shell, quoted where it has to be. */
function argument(word: string): string {
  return /^[\w./:-]+$/u.test(word) ? word : `'${word.replaceAll("'", String.raw`'\''`)}'`;
}
