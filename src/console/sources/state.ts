import { sizeInWords } from '../../rules/words.ts';
import type { Source, SourceTable } from '../../schema/source.ts';
import { amount, duration, number } from '../words.ts';

/** Why a source is not read, or not as it should be, and how that ends. */
export interface State {
  tone: 'bad' | 'warn' | 'idle';
  title: string;
  meaning: string;
  /** Since when (RFC 3339); null: that is not known. */
  since: string | null;
  /** Whether its settings may be what keeps it from being read, or deleted. */
  isMendable: boolean;
  /** The command that ends it; null: it ends by itself. */
  verb: 'resume' | 'forget' | null;
}

/** How a source is, in a word with a colour and a shape. */
export interface Badge {
  tone: 'ok' | 'warn' | 'bad' | 'idle';
  shape: string;
  text: string;
}

/** A line about something that matters, and the part of the page that has more of it. */
export interface Note {
  text: string;
  tab: 'tables' | 'problems' | 'settings' | null;
}

/** A follower measures every few seconds; after this long there is none. */
const SILENT_MS = 30_000;
const MUCH_BYTES = 1_024 ** 3;

/** The word for how a source is, with its colour and shape. */
export function badgeOf(source: Source): Badge {
  const { status, interruption } = source;
  if (status === 'failed') return { tone: 'bad', shape: '■', text: 'failed' };
  if (status === 'paused') return { tone: 'idle', shape: '‖', text: 'paused' };
  if (status === 'deleting') return { tone: 'idle', shape: '○', text: 'deleting' };
  if (interruption !== null) return { tone: 'warn', shape: '▲', text: 'interrupted' };
  if (asking(source).length > 0) return { tone: 'warn', shape: '▲', text: 'asks' };
  return { tone: 'ok', shape: '●', text: 'active' };
}

/** The state of a source that needs to be explained; null for one that is followed. */
export function stateOf(source: Source, now: number): State | null {
  const { status, status_reason, status_since, interruption } = source;
  if (status === 'failed') {
    return {
      tone: 'bad',
      title: 'It has failed: nothing is read until it is mended and resumed',
      meaning: status_reason ?? 'The reason is not known.',
      since: status_since,
      isMendable: true,
      verb: 'resume',
    };
  }
  if (status === 'deleting') {
    return {
      tone: 'idle',
      title: 'It is being deleted',
      meaning: `Its slot and its publication are still to be dropped in its database.${interruption === null ? '' : ` ${interruption.detail}`}`,
      since: status_since,
      isMendable: interruption !== null,
      verb: 'forget',
    };
  }
  if (status === 'paused') {
    return {
      tone: 'idle',
      title: 'Paused: nothing is read',
      meaning: keptText(source),
      since: status_since,
      isMendable: false,
      verb: 'resume',
    };
  }
  if (interruption !== null) {
    return {
      tone: 'warn',
      title: `Interrupted: ${interruption.detail}`,
      meaning: 'It is tried again and again, and goes on where it stopped.',
      since: interruption.since,
      isMendable: true,
      verb: null,
    };
  }
  return unfollowed(source, now);
}

/** An active source that no worker has looked at for a while. */
function unfollowed({ lag, updated_at }: Source, now: number): State | null {
  const times = lag === null ? [updated_at] : [updated_at, lag.measured_at];
  const seen = Math.max(...times.map(Date.parse));
  if (now - seen < SILENT_MS) return null;
  return {
    tone: 'warn',
    title: 'No worker follows it',
    meaning: 'It goes on where it stopped as soon as a worker of its region runs.',
    since: lag?.measured_at ?? null,
    isMendable: false,
    verb: null,
  };
}

/** What becomes of the log of a database while nothing is read, which fills a disk that is not ours. */
export function keptText({ lag }: Pick<Source, 'lag'>): string {
  const kept = 'Its replication slot keeps the log of the database meanwhile';
  if (lag === null) return `${kept}.`;
  if (lag.limit_bytes === null) {
    return `${kept}, without a limit: its disk can become full. Set max_slot_wal_keep_size there, or do not wait long.`;
  }
  return `${kept}, at most ${sizeInWords(lag.limit_bytes)} of it. Beyond that the slot is lost, and all tables are read again.`;
}

/** What an active source does, in a sentence or two. */
export function sentenceOf(source: Source): string {
  const { tables, lag } = source;
  const unread = tables.filter(({ state }) => state === 'waiting' || state === 'reading');
  const all = amount(tables.length, 'table');
  if (lag === null && tables.every(({ state }) => state === 'waiting'))
    return `It begins with ${all}.`;
  if (unread.length > 0) {
    const rows = unread.reduce((sum, table) => sum + table.rows, 0);
    const of = unread.length === tables.length ? all : `${number(unread.length)} of ${all}`;
    return `Reads ${of}: ${amount(rows, 'row')} so far. Changes are followed meanwhile.`;
  }
  return lag === null ? `Follows ${all}.` : `Follows ${all}. ${lagText(lag)}`;
}

/** How far behind the log of its database it is. */
function lagText({ bytes: size, seconds }: NonNullable<Source['lag']>): string {
  if (seconds < 1) return 'Everything is stored.';
  return `It is ${duration(seconds)} behind: ${sizeInWords(size)} of the log.`;
}

/** Lesser things that matter about a source, each with the part of the page that has more of it. */
export function notesOf(source: Source, now: number): Note[] {
  const { lag, problems, tables, expect_within, last_change_at } = source;
  const gone = tables.filter(({ state }) => state === 'gone');
  const notes: Note[] = [];
  if (lag?.limit_bytes != null && lag.bytes > lag.limit_bytes / 2) {
    const text = `${sizeInWords(lag.bytes)} of its log is kept, of at most ${sizeInWords(lag.limit_bytes)}: beyond that the slot is lost, and all tables are read again`;
    notes.push({ text, tab: null });
  } else if (lag !== null && lag.bytes > MUCH_BYTES) {
    notes.push({ text: `${sizeInWords(lag.bytes)} of its log is kept in its database`, tab: null });
  }
  if (gone.length > 0) {
    const [one] = gone;
    const text =
      gone.length === 1
        ? `${one?.table ?? ''} is not in the database any more`
        : `${number(gone.length)} of its tables are not in the database any more`;
    notes.push({ text, tab: 'tables' });
  }
  if (problems > 0) {
    const text = `${amount(problems, 'row')} could not be turned into ${problems === 1 ? 'a record' : 'records'}`;
    notes.push({ text, tab: 'problems' });
  }
  const silence = last_change_at === null ? 0 : (now - Date.parse(last_change_at)) / 1_000;
  if (expect_within !== null && silence > expect_within) {
    const text = `No change has come for ${duration(silence)}, and one is expected within ${duration(expect_within)}`;
    notes.push({ text, tab: 'settings' });
  }
  return notes;
}

/** The tables whose reading anew has to be confirmed. */
export function asking({ tables }: Pick<Source, 'tables'>): SourceTable[] {
  return tables.filter(({ state }) => state === 'asking');
}

/** Why a source is in trouble, in a sentence; null for one that is followed, paused by someone, or being deleted. */
export function troubleOf(source: Source, now: number): string | null {
  const { status, status_reason } = source;
  if (status === 'failed') return status_reason ?? 'It has failed.';
  if (status !== 'active') return null;
  const state = stateOf(source, now);
  if (state !== null) return state.title;
  const [first, ...others] = asking(source);
  if (first === undefined) return null;
  const more = others.length === 0 ? '' : `, and ${amount(others.length, 'further table')}`;
  return `${first.table}${more}: asks before records are deleted`;
}
