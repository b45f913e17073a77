import type { Client } from '../api/client.ts';
import { givesUpAt } from '../rules/givesUpAt.ts';
import { pausedText } from '../rules/who.ts';
import { inWords } from '../rules/words.ts';
import type { Consumer } from '../schema/consumer.ts';
import { batchText } from './batchOption.ts';
import { bodyText } from './bodyFlag.ts';
import type { Context } from './context.ts';
import type { Column } from './table.ts';

const SHOWN = 10;
/** A field that sentences of the API name, and that a flag sets here. */
const FIELD = /\balert_emails\b/u;
/** How the API says that a consumer without addresses has none from MILLRACE_ALERT_EMAIL either. */
const NOBODY = /^Nobody is alerted\b/u;

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
  { title: 'REASON', of: (one: Consumer) => one.cannot_start?.detail ?? reasonOf(one) ?? '' },
];

/** Prints a consumer and, if it is in trouble, when it gives up and the command that makes it work again. */
export async function showConsumer(
  { client, out }: Pick<Context, 'client' | 'out'>,
  one: Consumer,
): Promise<void> {
  if (out.isJson) {
    out.json(one);
    return;
  }
  out.thing(one, consumerFields(one, await windowOf(client, one)));
  const next = nextStep(one);
  if (next !== null) out.note(next);
}

/** The retry window of the API if the consumer is in one, for `consumerFields`. */
export async function windowOf(
  client: Pick<Client, 'info'>,
  { status }: Consumer,
): Promise<string | undefined> {
  return status === 'blocked' ? (await client.info()).retry_window : undefined;
}

/** The command that makes a consumer work again, and when to give it; null when nothing has to be done. */
export function nextStep(one: Consumer): string | null {
  if (one.cannot_start !== null) return `Once it is fixed: millrace retry ${one.id}`;
  if (one.status !== 'stopped' && one.status !== 'blocked') return null;
  const command = one.status === 'stopped' ? `consumers resume ${one.id}` : `retry ${one.id}`;
  const isOfBody = /BODY_FAILED|no body could be made/u.test(one.status_reason ?? '');
  return `Once ${isOfBody ? 'its body is mended' : 'the endpoint works again'}: millrace ${command}`;
}

/**
 * All fields of a consumer, with the most important ones for people at the beginning. `retryWindow` is as `/v1/info`
 * has it; it says when a blocked consumer gives up.
 */
export function consumerFields(
  one: Consumer,
  retryWindow?: string,
): (readonly [string, unknown])[] {
  const { entries, seconds } = one.lag;
  const { last_failure: failure } = one;
  return [
    ['Name', one.name],
    ['Status', statusOf(one)],
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
    ['Gives up', givesUpOf(one, retryWindow)],
    ['Health', [one.health.status, ...one.health.notes].join('; ').replace(FIELD, '--alert-email')],
    ['ID', one.id],
    ['Target', `${one.target_name} (${one.target_id})`],
    ['Path', one.path === '' ? null : one.path],
    ['Stream', one.stream],
    ['Syncs', listed(one.syncs)],
    ['Collections', listed(one.collections)],
    ['Event types', listed(one.event_types)],
    ['Where', one.where],
    ['Filter', `version ${one.filter_version}, applies after position ${one.filter_from}`],
    ['Ordering', one.ordering],
    ['Batches', one.batch === null ? null : batchText(one.batch)],
    ['Body', bodyText(one.body)],
    ['Alerts to', alertedBy(one)],
    ['Region', one.region],
    ['Workflow', one.workflow_id],
    ['Cursor', one.cursor],
    ['Metadata', one.metadata],
    ['Created', one.created_at],
    ['Updated', one.updated_at],
  ];
}

/** The status with its reason: `blocked: HTTP_5XX: HTTP 503`, `paused by the admin key`. */
export function statusOf(one: Pick<Consumer, 'status' | 'status_reason'>): string {
  const reason = reasonOf(one);
  if (reason === null) return one.status;
  return reason.startsWith(`${one.status} `) ? reason : `${one.status}: ${reason}`;
}

function reasonOf({ status_reason: reason }: Pick<Consumer, 'status_reason'>): string | null {
  return reason === null ? null : pausedText(reason);
}

/** The newest failure, and since when it has been this one. */
function failureOf({ code, detail, since }: NonNullable<Consumer['last_failure']>): string {
  return `${code}: ${detail}${since === null ? '' : `, since ${since}`}`;
}

/** Who gets its alerts. The API does not say which addresses the operator has set, only whether there are any. */
function alertedBy({ alert_emails: own, health }: Consumer): string {
  if (own.length > 0) return listed(own);
  const isNobody = health.notes.some((note) => NOBODY.test(note));
  return isNobody ? 'nobody' : "the operator's addresses (MILLRACE_ALERT_EMAIL)";
}

/** When a blocked consumer stops unless its endpoint recovers, and how long that is from now by the clock of the API. */
function givesUpOf(
  { status, failing_since, health }: Consumer,
  retryWindow: string | undefined,
): string | null {
  const at = status === 'blocked' ? givesUpAt(failing_since, retryWindow) : null;
  return at === null ? null : `${at}, ${fromNow(at, health.time)}`;
}

/** How long it is until a time: `in 23 hours`. */
export function fromNow(at: string, now: string): string {
  const ms = Date.parse(at) - Date.parse(now);
  return ms < 1_000 ? 'at any moment' : `in ${inWords(ms)}`;
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
