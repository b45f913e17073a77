import { InvalidArgumentError } from 'commander';

import type { ConsumerBatch } from '../schema/batch.ts';
import { BATCH_BOUNDS } from '../schema/batchBounds.ts';

const KB = 1_024;
const MB = KB * KB;

type Field = keyof ConsumerBatch;
type Bounds = Record<Field, { min: number; max: number }>;

/** The parts of the option, what each sets, and its units. */
const PARTS: Record<string, { field: Field; units: Record<string, number> }> = {
  entries: { field: 'max_entries', units: { '': 1 } },
  bytes: { field: 'max_bytes', units: { '': 1, b: 1, kb: KB, mb: MB } },
  wait: { field: 'max_wait_ms', units: { ms: 1, s: 1_000 } },
};
const FORM = 'It must be none, or limits such as entries=100,bytes=1mb,wait=200ms.';
const VALUE = /^(\d{1,9})([a-z]{0,2})$/u;

/** What the API takes: `max_bytes` and `max_wait_ms` have values that hold unless others are given. */
type Given = Pick<ConsumerBatch, 'max_entries'> & Partial<ConsumerBatch>;

/** Parses the option `--batch`: limits, of which `entries` is required, or `none`. */
export function batchOption(text: string): ConsumerBatch | 'none' {
  if (text === 'none') return text; // commander takes null for no value
  const found: Partial<ConsumerBatch> = {};
  for (const part of text.split(',')) {
    const [, name = '', value = ''] = /^\s*([a-z]+)=(\S+)\s*$/u.exec(part.toLowerCase()) ?? [];
    const known = Object.hasOwn(PARTS, name) ? PARTS[name] : undefined;
    if (known === undefined) throw new InvalidArgumentError(FORM);
    if (found[known.field] !== undefined) throw new InvalidArgumentError(`It has ${name} twice.`);
    found[known.field] = valueOf(name, known, value);
  }
  if (found.max_entries === undefined) {
    throw new InvalidArgumentError('It must say how many entries, such as entries=100.');
  }
  return found as Given as ConsumerBatch; // the API adds what is left out
}

function valueOf(name: string, { field, units }: (typeof PARTS)[string], text: string): number {
  const [, count = '', unit = ''] = VALUE.exec(text) ?? [];
  const value = count === '' ? NaN : Number(count) * (units[unit] ?? NaN);
  const { min, max } = (BATCH_BOUNDS satisfies Bounds)[field];
  if (value >= min && value <= max) return value;
  const example =
    unit === '' && units[''] === undefined ? `, with a unit, such as ${name}=200ms` : '';
  throw new InvalidArgumentError(
    `Its ${name} must be from ${inUnits(field, min)} to ${inUnits(field, max)}${example}.`,
  );
}

/** `up to 100 entries and 1 MB a request, incomplete ones after 200 ms`. */
export function batchText({ max_entries, max_bytes, max_wait_ms }: ConsumerBatch): string {
  const size = `up to ${max_entries} entries and ${inUnits('max_bytes', max_bytes)} a request`;
  return `${size}, incomplete ones after ${inUnits('max_wait_ms', max_wait_ms)}`;
}

function inUnits(field: Field, value: number): string {
  if (field === 'max_entries') return String(value);
  if (field === 'max_wait_ms') return `${value} ms`;
  if (value % MB === 0) return `${value / MB} MB`;
  return value % KB === 0 ? `${value / KB} KB` : `${value} bytes`;
}
