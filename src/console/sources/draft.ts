import type { Source, SourceInput, SourcePatch } from '../../schema/source.ts';
import { areTexts, isText, oneOf, type Form } from '../keptForm.ts';
import { nameIn } from './databaseUrl.ts';

/** The fields of the form; they are texts until they are sent. */
export interface SourceDraft {
  name: string;
  url: string;
  ca: string;
  tables: string[];
  /** After how long without a change a mail is sent; empty for no such mail. */
  silence: string;
  silenceUnit: SilenceUnit;
  sync_id: string;
}

export type SilenceUnit = 'minutes' | 'hours' | 'days';

/** The length of each unit in seconds, the longest first. */
const UNITS: Record<SilenceUnit, number> = { days: 86_400, hours: 3_600, minutes: 60 };
export const SILENCE_UNITS = ['minutes', 'hours', 'days'] as const;

/** An untouched form. */
export const BLANK: SourceDraft = {
  name: '',
  url: '',
  ca: '',
  tables: [],
  silence: '',
  silenceUnit: 'hours',
  sync_id: '',
};

/** Leaves out the URL, which has a password, and keys, so that no secret is kept. */
export const SOURCE_FORM: Form<SourceDraft> = {
  name: 'source',
  version: 1,
  fields: {
    name: isText,
    ca: (value) => isText(value) && !value.includes('PRIVATE KEY'),
    tables: areTexts,
    silence: isText,
    silenceUnit: oneOf(...SILENCE_UNITS),
    sync_id: isText,
  },
};

/** A stored source as a form; its URL has a masked password, and stays what it is when it is sent back. */
export function draftOf({ name, url, ca, tables, expect_within, sync_id }: Source): SourceDraft {
  return {
    name,
    url,
    ca: ca ?? '',
    tables: tables.map(({ table }) => table).toSorted(),
    ...silenceOf(expect_within),
    sync_id,
  };
}

/** A length in seconds as a number of the largest unit that it is a whole number of, or else minutes. */
function silenceOf(seconds: number | null): Pick<SourceDraft, 'silence' | 'silenceUnit'> {
  if (seconds === null) return { silence: '', silenceUnit: 'hours' };
  const units = Object.keys(UNITS) as SilenceUnit[];
  const unit = units.find((one) => seconds % UNITS[one] === 0) ?? 'minutes';
  return { silence: String(seconds / UNITS[unit]), silenceUnit: unit };
}

/** The length of time without a change in seconds; null for none, `NaN` for a text that is no number. */
export function silenceSeconds({
  silence,
  silenceUnit,
}: Pick<SourceDraft, 'silence' | 'silenceUnit'>): number | null {
  return silence.trim() === '' ? null : Math.round(Number(silence) * UNITS[silenceUnit]);
}

/** The input for the API, which checks it. */
export function bodyOf(draft: SourceDraft): SourceInput {
  return {
    kind: 'postgres',
    name: draft.name.trim() || nameIn(draft.url),
    url: draft.url.trim(),
    ca: draft.ca.trim() === '' ? null : draft.ca,
    tables: draft.tables,
    expect_within: silenceSeconds(draft),
    ...(draft.sync_id.trim() !== '' && { sync_id: draft.sync_id.trim() }),
  };
}

/** The fields of a stored source that are sent: only those that were changed. */
export function patchOf(draft: SourceDraft, changed: (keyof SourceDraft)[]): SourcePatch {
  const { name: _name, kind: _kind, sync_id: _sync, ...body } = bodyOf(draft);
  const fields = { ...body, name: draft.name.trim() };
  const names = changed.map((one): string => (one.startsWith('silence') ? 'expect_within' : one));
  return Object.fromEntries(
    Object.entries(fields).filter(([name]) => names.includes(name)),
  ) as SourcePatch;
}
