import type { ConsumerBody } from '../../schema/body.ts';
import type { Consumer, ConsumerInput, Filter, Ordering } from '../../schema/consumer.ts';
import type { StreamName } from '../../schema/stream.ts';
import { fieldTime } from '../dateField.ts';
import { areTexts, isObject, isText, oneOf, type Form } from '../keptForm.ts';
import { batchDraft, batchInput, type BatchDraft } from '../shaping/batches.ts';
import { bodyInput } from '../shaping/bodies.ts';
import type { Zone } from '../words.ts';
import { conditionOf } from './filterDelta.ts';

/** The fields that the six steps fill in, and the condition `where`, which a duplicate takes from its consumer. */
export interface Draft extends Filter {
  name: string;
  target_id: string;
  stream: StreamName;
  path: string;
  /** The condition; null: none, and empty while nothing is written yet. */
  where: string | null;
  ordering: Ordering;
  body: ConsumerBody;
  batch: BatchDraft | null;
  start: 'beginning' | 'end' | 'time';
  /** The point in time as its field has it: `2026-11-22T14:02`, in the zone of the setting. */
  start_at: string;
}

export const BLANK: Draft = {
  name: '',
  target_id: '',
  stream: 'events',
  path: '',
  syncs: ['*'],
  collections: ['*'],
  event_types: ['*'],
  where: null,
  ordering: 'record',
  body: { mode: 'full' },
  batch: null,
  start: 'end',
  start_at: '',
};

export const CONSUMER_FORM: Form<Draft> = {
  name: 'consumer',
  version: 1,
  fields: {
    name: isText,
    target_id: isText,
    stream: oneOf('events', 'records'),
    path: isText,
    syncs: areTexts,
    collections: areTexts,
    event_types: areTexts,
    where: (value) => value === null || isText(value),
    ordering: oneOf('record', 'stream', 'none'),
    body: isBody,
    batch: (value) => value === null || isBatch(value),
    start: oneOf('beginning', 'end', 'time'),
    start_at: isText,
  },
};

function isBody(value: unknown): boolean {
  if (!isObject(value)) return false;
  if (value['mode'] === 'fields') return areTexts(value['pointers']);
  if (value['mode'] === 'map') return isText(value['expression']);
  return oneOf('full', 'thin', 'cloudevents')(value['mode']);
}

function isBatch(value: unknown): boolean {
  return isObject(value) && ['entries', 'kilobytes', 'wait'].every((name) => isText(value[name]));
}

/** The longest name that the API accepts. */
const NAME_LENGTH = 255;

/** A name for the consumer that says what it sends and where to: `Events to CRM of ACME`. */
export function proposedName({ stream, collections }: Draft, target: string): string {
  const [first = '*'] = collections;
  const isOne = collections.length === 1 && first !== '*';
  const what = isOne ? first : stream === 'events' ? 'Events' : 'Records';
  return `${what} to ${target}`.slice(0, NAME_LENGTH);
}

/** The fields of a duplicate, which begins at the end of the stream. */
export function draftLike(consumer: Consumer): Partial<Draft> {
  const { target_id, stream, path, syncs, collections, event_types, where } = consumer;
  const { ordering, body, batch } = consumer;
  return {
    name: `Copy of ${consumer.name}`.slice(0, NAME_LENGTH),
    target_id,
    stream,
    path,
    syncs,
    collections,
    event_types,
    where,
    ordering,
    body,
    batch: batchDraft(batch),
    start: 'end',
  };
}

/** The input for the API, which checks it. `zone`: that of the field with the point in time. */
export function inputOf({ start, start_at, ...draft }: Draft, zone: Zone): Partial<ConsumerInput> {
  return {
    ...draft,
    name: draft.name.trim(),
    where: conditionOf(draft),
    body: bodyInput(draft.body),
    batch: batchInput(draft.batch),
    start: start === 'time' ? { time: fieldTime(start_at, zone) ?? '' } : start,
  };
}

/** Whether the start is complete: a point in time is only once it is filled in. */
export function hasStart({ start, start_at }: Draft): boolean {
  return start !== 'time' || !Number.isNaN(Date.parse(start_at));
}
