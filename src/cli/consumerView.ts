import type { Consumer } from '../schema/consumer.ts';
import type { Context } from './context.ts';
import { nameOfTarget } from './names.ts';
import type { Column } from './table.ts';

const SHOWN = 10;
/** A field that sentences of the API name, and that a flag sets here. */
const FIELD = /\balert_emails\b/u;

/** The columns of a list of consumers. */
export const CONSUMERS: readonly Column<Consumer>[] = [
  { title: 'NAME', of: (one: Consumer) => one.name },
  { title: 'STATUS', of: (one: Consumer) => one.status },
  { title: 'TARGET', of: (one: Consumer) => one.target_name },
  { title: 'STREAM', of: (one: Consumer) => one.stream },
  { title: 'POSITION', of: (one: Consumer) => one.position, right: true },
  { title: 'WAITING', of: (one: Consumer) => waitingOf(one.lag), right: true },
  { title: 'PARKED', of: (one: Consumer) => one.parked, right: true },
  { title: 'ID', of: (one: Consumer) => one.id },
  { title: 'REASON', of: (one: Consumer) => one.cannot_start?.detail ?? one.status_reason ?? '' },
];

/** Prints a consumer with the name of its target and, if it is in trouble, the command that makes it work again. */
export async function showConsumer(
  { client, out }: Pick<Context, 'client' | 'out'>,
  one: Consumer,
): Promise<void> {
  if (out.isJson) {
    out.json(one);
    return;
  }
  out.thing(one, consumerFields(one, await nameOfTarget(client, one.target_id)));
  const next = nextStep(one);
  if (next !== null) out.note(next);
}

/** The command that makes a consumer work again, and when to give it; null when nothing has to be done. */
export function nextStep(one: Consumer): string | null {
  if (one.cannot_start !== null) return `Once it is fixed: millrace retry ${one.id}`;
  if (one.status !== 'stopped' && one.status !== 'blocked') return null;
  const command = one.status === 'stopped' ? `consumers resume ${one.id}` : `retry ${one.id}`;
  return `Once the endpoint works again: millrace ${command}`;
}

/**
 * All fields of a consumer, with the most important ones for people at the beginning. `target` is the name of
 * its target.
 */
export function consumerFields(
  one: Consumer,
  target: string | null = null,
): (readonly [string, unknown])[] {
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
    ['Sender', one.sender === null ? 'none' : senderOf(one.sender)],
    ["Can't send", one.cannot_start === null ? null : faultOf(one.cannot_start)],
    ['Failing since', one.failing_since],
    ['Last failure', failure === null ? null : failureOf(failure)],
    ['Next attempt', one.next_attempt_at],
    ['Health', [one.health.status, ...one.health.notes].join('; ').replace(FIELD, '--alert-email')],
    ['ID', one.id],
    ['Target', target === null ? one.target_id : `${target} (${one.target_id})`],
    ['Path', one.path === '' ? null : one.path],
    ['Stream', one.stream],
    ['Syncs', listed(one.syncs)],
    ['Collections', listed(one.collections)],
    ['Event types', listed(one.event_types)],
    ['Filter', `version ${one.filter_version}, applies after position ${one.filter_from}`],
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

/** The newest failure, and since when it has been this one. */
function failureOf({ code, detail, since }: NonNullable<Consumer['last_failure']>): string {
  return `${code}: ${detail}${since === null ? '' : `, since ${since}`}`;
}

/** `31`, or `up to 806` if not all entries that follow were examined. */
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
