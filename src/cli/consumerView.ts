import type { Consumer } from '../schema/consumer.ts';
import type { Output } from './output.ts';

const SHOWN = 10;

/** The columns of a list of consumers. */
export const CONSUMER_COLUMNS = [
  { title: 'NAME', of: (one: Consumer) => one.name },
  { title: 'STATUS', of: (one: Consumer) => one.status },
  { title: 'STREAM', of: (one: Consumer) => one.stream },
  { title: 'POSITION', of: (one: Consumer) => one.position, right: true },
  { title: 'WAITING', of: (one: Consumer) => waitingOf(one.lag), right: true },
  { title: 'PARKED', of: (one: Consumer) => one.parked, right: true },
  { title: 'ID', of: (one: Consumer) => one.id },
  { title: 'WHY', of: (one: Consumer) => one.cannot_start?.detail ?? one.status_reason ?? '' },
];

/** Prints a consumer and, if it is blocked or stopped, the command that gets it going again. */
export function showConsumer(out: Output, one: Consumer): void {
  out.thing(one, consumerFields(one));
  if (!out.isJson && one.cannot_start !== null) {
    out.note(`When it is mended: millrace retry ${one.id}`);
    return;
  }
  if (out.isJson || (one.status !== 'stopped' && one.status !== 'blocked')) return;
  const next = one.status === 'stopped' ? `consumers resume ${one.id}` : `retry ${one.id}`;
  out.note(`When the endpoint is well again: millrace ${next}`);
}

/** All fields of a consumer, with what people want to know at the beginning. */
export function consumerFields(one: Consumer): (readonly [string, unknown])[] {
  const { entries, seconds } = one.lag;
  const { last_failure: failure } = one;
  return [
    ['Name', one.name],
    ['Status', one.status_reason === null ? one.status : `${one.status}: ${one.status_reason}`],
    [
      'Waiting',
      entries === 0 ? 'nothing' : `${waitingOf(one.lag)}, the oldest for ${span(seconds)}`,
    ],
    ['Parked', one.parked],
    ['Dead letters', one.dead_letters],
    ['Position', one.position],
    ['Sender', one.sender === null ? 'none at present' : senderOf(one.sender)],
    ["Can't be sent to", one.cannot_start === null ? null : faultOf(one.cannot_start)],
    ['Failing since', one.failing_since],
    ['Last failure', failure === null ? null : failureOf(failure)],
    ['Next attempt', one.next_attempt_at],
    ['Health', [one.health.status, ...one.health.notes].join('; ')],
    ['ID', one.id],
    ['Target', `${one.target_id}${one.path === '' ? '' : ` ${one.path}`}`],
    ['Stream', one.stream],
    ['Syncs', listed(one.syncs)],
    ['Collections', listed(one.collections)],
    ['Event types', listed(one.event_types)],
    ['Filter', `version ${one.filter_version}, above position ${one.filter_from}`],
    ['Ordering', one.ordering],
    ['Alerts to', listed(one.alert_emails)],
    ['Region', one.region],
    ['Workflow', one.workflow_id],
    ['Cursor', one.cursor],
    ['Metadata', one.metadata],
    ['Created', one.created_at],
    ['Updated', one.updated_at],
  ];
}

/** The newest failure, and since when it is this one. */
function failureOf({ code, detail, since }: NonNullable<Consumer['last_failure']>): string {
  return `${code}: ${detail}${since === null ? '' : `, since ${since}`}`;
}

/** `31`, or `up to 806` where not all that follow were looked at. */
export function waitingOf({ entries, exact }: Consumer['lag']): string {
  return `${exact ? '' : 'up to '}${entries}`;
}

/** `drain in host/123/ab12`, `lane 0 of visits in …`. */
function senderOf({ activity, lane, process }: NonNullable<Consumer['sender']>): string {
  return `${activity === 'visit' ? `lane ${lane} of visits` : activity} in ${process}`;
}

function faultOf({ since, detail }: NonNullable<Consumer['cannot_start']>): string {
  return `since ${since}: ${detail}`;
}

function listed(values: string[]): string {
  if (values.length === 0) return 'none';
  const more = values.length > SHOWN ? ` and ${values.length - SHOWN} more` : '';
  return `${values.slice(0, SHOWN).join(', ')}${more}`;
}

/** Prints a duration: `3 s`, `4 min`, `2 h`, `5 d`. */
export function span(seconds: number): string {
  if (seconds < 120) return `${Math.round(seconds)} s`;
  if (seconds < 7_200) return `${Math.round(seconds / 60)} min`;
  return seconds < 172_800
    ? `${Math.round(seconds / 3_600)} h`
    : `${Math.round(seconds / 86_400)} d`;
}
