import { membersOf, type Member } from './jsonMembers.ts';

/** The content type of a CloudEvent in structured mode. */
export const CLOUD_EVENT_TYPE = 'application/cloudevents+json; charset=utf-8';

/** What the strings of a CloudEvent must not contain. */
const FORBIDDEN = /[\p{Cc}\p{Cs}\p{Noncharacter_Code_Point}]/u;

/**
 * An entry's body as a CloudEvent 1.0: its `id` is the `webhook-id`, its `source` the path of its collection in the API,
 * its `subject` the record, and its `data` the entry as it is stored. Source and subject together are the path at which
 * the record is read. The subject is left out where the record's id has characters that a CloudEvent may not have.
 */
export function toCloudEvent(body: string): string {
  const open = body.indexOf('{', 1);
  const entry = body.slice(open, -1);
  const members = membersOf(entry) ?? new Map<string, Member>();
  const raw = (name: string): string => members.get(name)?.value ?? 'null';
  const text = (name: string): string => JSON.parse(raw(name)) as string;
  const isEvent = members.has('event_id');
  const [sync, collection] = [text('sync_id'), text('collection_id')].map(encodeURIComponent);
  const subject = FORBIDDEN.test(text('upstream_id')) ? '' : `"subject":${raw('upstream_id')},`;
  const what = raw('deleted') === 'true' ? 'deleted' : 'updated';
  return (
    `{"specversion":"1.0","id":${raw(isEvent ? 'event_id' : 'version_id')}` +
    `,"source":"/v1/records/${sync}/${collection}"` +
    `,"type":"millrace.${isEvent ? `event.${text('event')}` : `record.${what}`}",${subject}` +
    `"time":${raw(isEvent ? 'event_inserted_at' : 'updated_at')}` +
    `,"datacontenttype":"application/json","data":${entry}}`
  );
}
