import { whoIs } from '../../rules/who.ts';
import type { Change } from '../../schema/consumer.ts';
import { amount, number } from '../words.ts';

type Detail = Change['detail'];

/** A change in words: `Filter: added sync shop`, `Paused`, `Moved to the beginning`. */
export function whatChanged({
  action,
  actor,
  detail,
}: Pick<Change, 'action' | 'actor' | 'detail'>): string {
  switch (action) {
    case 'created':
      return `Created, starting ${startOf(detail)}`;
    case 'retried':
      return retriedText(actor, detail);
    case 'seeked':
      return `Moved to ${placeOf(detail)}`;
    case 'filter':
      return `Filter: ${filterText(detail) ?? versionText(detail)}`;
    case 'changed':
      return settingsText(detail);
    case 'replayed':
      return `Replayed ${amount(countOf(detail), 'dead letter')}`;
    case 'stopped':
      return typeof detail['reason'] === 'string' ? `Stopped: ${detail['reason']}` : 'Stopped';
    case 'resent':
      return `Resent the entry at position ${positionIn(detail)}`;
    default:
      return capital(action.replaceAll('_', ' ')); // paused, resumed, deleted
  }
}

/** The same with its author: `Paused by ada`. */
export function changeSentence(change: Pick<Change, 'action' | 'actor' | 'detail'>): string {
  const what = whatChanged(change);
  if (change.actor === 'target' || change.actor === 'millrace') return what;
  const who = whoIs(change.actor);
  return /[:,]|succeeded$/u.test(what) ? `${what} (${who})` : `${what} by ${who}`;
}

const RETRIED: Record<string, string> = {
  target_tested: 'Retried after a test of its target succeeded',
  target_changed: 'Retried, because its target was changed',
  new_leader: 'Retried, because another process of Millrace took over',
};

/** An older version did not note whether the target was changed or tested. */
function retriedText(actor: string, { because }: Detail): string {
  const known = typeof because === 'string' ? RETRIED[because] : undefined;
  if (known !== undefined) return known;
  return actor === 'target' ? 'Retried, because its target was changed or tested' : 'Retried';
}

function startOf({ start, position }: Detail): string {
  if (start === 'beginning') return 'at the beginning';
  if (start === 'end') return 'at the end';
  const time = textIn(start, 'time');
  return time === null ? `after position ${numberText(position)}` : `at ${minuteOf(time)}`;
}

function placeOf({ to, position }: Detail): string {
  if (to === 'beginning' || to === 'end') return `the ${to}`;
  const time = textIn(to, 'time');
  const place = `position ${numberText(position)}`;
  return time === null ? place : `${minuteOf(time)}, ${place}`;
}

const LISTS = {
  syncs: ['sync', 'syncs'],
  collections: ['collection', 'collections'],
  event_types: ['event type', 'event types'],
} as const;

/** What was added and removed, by list; null if an older version did not note it. */
function filterText({ added, removed, left_out, where }: Detail): string | null {
  if (added === undefined || removed === undefined) return null;
  const parts: string[] = [];
  for (const list of ['syncs', 'collections', 'event_types'] as const) {
    const [one, more] = LISTS[list];
    const [plus, minus] = [valuesIn(added, list), valuesIn(removed, list)];
    const named = (values: string[]): string =>
      `${values.length === 1 ? one : more} ${values.join(', ')}`;
    if (plus[0] === '*') parts.push(`all ${more} instead of selected ones`);
    else if (minus[0] === '*') parts.push(`only ${plus.length === 0 ? `no ${one}` : named(plus)}`);
    else {
      if (plus.length > 0) parts.push(`added ${named(plus)}`);
      if (minus.length > 0) parts.push(`removed ${named(minus)}`);
    }
  }
  if (typeof left_out === 'number') parts.push(`and ${amount(left_out, 'more value')}`);
  if (where === null) parts.push('no condition any more');
  if (typeof where === 'string') parts.push(`condition ${where}`);
  return parts.length === 0 ? 'no change' : parts.join(', ');
}

function versionText({ filter_version }: Detail): string {
  return `edited, version ${numberText(filter_version)}`;
}

const FIELDS: Record<string, string> = {
  target_id: 'target',
  alert_emails: 'alert addresses',
  ordering: 'order',
  batch: 'batches',
};
const OF_FILTER = [...Object.keys(LISTS), 'where'];

function settingsText(detail: Detail): string {
  const given = Array.isArray(detail['fields']) ? detail['fields'].map(String) : [];
  const filter = filterText(detail);
  const others = given.filter((field) => filter === null || !OF_FILTER.includes(field));
  const parts = others.map((field) => {
    if (field === 'batch' && 'batch' in detail) return batchesText(detail['batch']);
    const value = field === 'name' || field === 'ordering' ? detail[field] : undefined;
    const name = FIELDS[field] ?? field.replaceAll('_', ' ');
    return typeof value === 'string' ? `${name} “${value}”` : name;
  });
  const settings = parts.length === 0 ? null : `Settings: ${parts.join(', ')}`;
  const both = [settings, filter === null ? null : `Filter: ${filter}`];
  return both.filter((part) => part !== null).join('; ') || 'Settings saved';
}

/** Batches in words, as far as they were noted: `batches of up to 100 entries`. */
function batchesText(batch: unknown): string {
  if (typeof batch !== 'object' || batch === null) return 'no batches';
  return `batches of up to ${amount(numberIn(batch, 'max_entries'), 'entry', 'entries')}`;
}

function numberIn(value: object, name: string): number {
  const found = (value as Record<string, unknown>)[name];
  return typeof found === 'number' ? found : 0;
}

function valuesIn(part: unknown, list: string): string[] {
  if (typeof part !== 'object' || part === null) return [];
  const values = (part as Record<string, unknown>)[list];
  return Array.isArray(values) ? values.map(String) : [];
}

function countOf(detail: Detail): number {
  return numberIn(detail, 'count');
}

function positionIn({ position }: Detail): string {
  return numberText(position);
}

function numberText(value: unknown): string {
  return typeof value === 'number' ? number(value) : '?';
}

function textIn(value: unknown, name: string): string | null {
  if (typeof value !== 'object' || value === null) return null;
  const text = (value as Record<string, unknown>)[name];
  return typeof text === 'string' ? text : null;
}

/** As `Sentence` finds it, to show it in the form that the reader has chosen. */
function minuteOf(time: string): string {
  const at = new Date(time);
  if (Number.isNaN(at.getTime())) return time;
  return `${at.toISOString().slice(0, 16).replace('T', ' ')} UTC`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}
