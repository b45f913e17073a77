import type {
  EventsAppended,
  EventType,
  RecordsAppended,
  StreamName,
} from '../../schema/stream.ts';
import { faultsIn, lengthFault, type Faults } from '../faults.ts';
import { isText, oneOf, type Form } from '../keptForm.ts';
import { parseExactly, prettyValue } from '../pretty.ts';
import { number } from '../words.ts';
import { EVENT_TYPES } from './eventTypes.ts';
import { SAMPLE, sampleData } from './sampleEntry.ts';

/** The fields of the form of a sample. */
export interface SampleDraft {
  stream: StreamName;
  sync: string;
  collection: string;
  record: string;
  event: EventType;
  /** Null: the data of the guide's sample, with the time at which the form was opened. */
  data: string | null;
}

/** An untouched form. */
export const BLANK_SAMPLE: SampleDraft = {
  stream: 'records',
  sync: SAMPLE.sync_id,
  collection: SAMPLE.collection_id,
  record: SAMPLE.upstream_id,
  event: 'updated',
  data: null,
};

export const SAMPLE_FORM: Form<SampleDraft> = {
  name: 'sample',
  version: 1,
  fields: {
    stream: oneOf('records', 'events'),
    sync: isText,
    collection: isText,
    record: isText,
    event: oneOf(...EVENT_TYPES),
    data: (value) => value === null || isText(value),
  },
};

/** The data that an untouched form shows. */
export function sampleText(opened: Date): string {
  return prettyValue(sampleData('free', opened));
}

/** What has to be mended before a sample can be sent, by pointers into the entry. */
export function sampleFaults({ sync, collection, record, data }: SampleDraft): Faults {
  return faultsIn({
    '/sync_id':
      sync === '' ? 'Fill in a sync, for example sample.' : lengthFault('The sync', sync, 255),
    '/collection_id': /^[^:]{1,255}:.{1,255}$/su.test(collection)
      ? null
      : 'The collection must be provider:name, for example stripe:customer, with at most 255 characters on each side.',
    '/upstream_id':
      record === ''
        ? 'Fill in the id of a record, for example cus_1.'
        : lengthFault('The id of the record', record, 1024),
    '/data': data === null ? null : jsonFault(data),
  });
}

function jsonFault(text: string): string | null {
  try {
    JSON.parse(text);
    return null;
  } catch (error) {
    return `The data is not valid JSON: ${(error as Error).message}`;
  }
}

/** The entry as a line that is appended to its stream, so that no digit of a number is lost. */
export function lineOf(draft: SampleDraft, data: string): string {
  const { stream, sync, collection, record, event } = draft;
  const entry = { sync_id: sync, collection_id: collection, upstream_id: record };
  const type = stream === 'events' ? { event } : {};
  return JSON.stringify({ ...entry, ...type, data: parseExactly(data) });
}

/** What became of a sample, from the API's answer. */
export function sentText(stream: StreamName, answer: RecordsAppended | EventsAppended): string {
  if ('unchanged' in answer && answer.unchanged > 0) {
    return 'Nothing was appended, because the record is stored with the same data. Change the data to send it.';
  }
  return `Appended to ${stream}; the stream ends at position ${number(answer.position)}.`;
}
