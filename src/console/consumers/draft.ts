import type { Filter, Ordering } from '../../schema/consumer.ts';
import type { StreamName } from '../../schema/stream.ts';
import { areTexts, isText, oneOf, type Form } from '../keptForm.ts';

/** What the six steps fill in. */
export interface Draft extends Filter {
  name: string;
  target_id: string;
  stream: StreamName;
  path: string;
  ordering: Ordering;
  start: 'beginning' | 'end';
}

export const BLANK: Draft = {
  name: '',
  target_id: '',
  stream: 'events',
  path: '',
  syncs: ['*'],
  collections: ['*'],
  event_types: ['*'],
  ordering: 'record',
  start: 'end',
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
    ordering: oneOf('record', 'stream', 'none'),
    start: oneOf('beginning', 'end'),
  },
};
