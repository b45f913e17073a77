import { agingText, type Aging } from '../retention/retentionText.ts';
import { clockText } from '../rules/clockText.ts';
import { failureWords } from '../rules/failurePhrase.ts';
import type { Failure } from '../rules/outcome.ts';
import { amount } from '../rules/words.ts';
import type { ConsumerStatus, Filter } from '../schema/consumer.ts';
import type { Health } from '../schema/fields.ts';
import type { Waiting } from '../streams/waiting.ts';

/** The last failure, as far as it is known; `late` is the answer that came after a timeout. */
export interface SeenFailure {
  code: string;
  status: number | null;
  /** Since when it has failed like this; an older version has not stored it. */
  since?: string;
  late?: Failure['late'];
}

/** How many entries a condition could not be evaluated for, and the newest of them. */
export interface ConditionTrouble {
  entries: number;
  /** When the first of them was met. */
  since: string;
  position: number;
  /** A sentence. */
  detail: string;
}

/** The facts on which a consumer's health depends. */
export interface HealthInput {
  status: ConsumerStatus;
  statusReason: string | null;
  /** RFC 3339, as is `nextAttemptAt`. */
  failingSince: string | null;
  nextAttemptAt: string | null;
  lastFailure: SeenFailure | null;
  /** How many attempts at the failing entry have been made. */
  attempts: number;
  /** How many entries wait; an upper bound unless `exact`. */
  waiting: Pick<Waiting, 'entries' | 'exact'>;
  parked: number;
  /** The last failure of the newest parked entry that was tried; null: none was. */
  newestParked: { code: string; detail: string } | null;
  deadLetters: number;
  /** The lasting fault that keeps it from sending; null: there is none. */
  cannotStart: { detail: string; since: string; next_try_at: string } | null;
  /** The age of the waiting events, if they are old enough to be lost soon; otherwise null. */
  aging: Aging | null;
  filter: Filter;
  /** What of its condition could not be evaluated lately; null: nothing. */
  conditionFault: ConditionTrouble | null;
  /** Whether an alert about the consumer has a recipient. */
  alertsReachSomeone: boolean;
  now: Date;
}

/** Describes a consumer's state in sentences. `error` needs an operator's action; `warn` may pass by itself. */
export function consumerHealth(input: HealthInput): Health {
  const notes: string[] = [];
  if (input.cannotStart !== null) notes.push(cannotStart(input.cannotStart, input.now));
  if (input.status === 'stopped') notes.push(stopped(input));
  if (input.status === 'blocked') notes.push(blocked(input));
  if (input.aging !== null) notes.push(capital(agingText(input.aging)));
  if (input.parked > 0) notes.push(parked(input));
  if (input.deadLetters > 0) {
    notes.push(`${amount(input.deadLetters, 'dead letter')}: replay or delete them`);
  }
  const empty = (['syncs', 'collections', 'event_types'] as const).filter(
    (list) => input.filter[list].length === 0,
  );
  if (empty.length > 0) {
    notes.push(`The filter matches nothing: ${empty.join(' and ')} ${isAre(empty.length)} empty`);
  }
  if (input.conditionFault !== null) notes.push(conditionFault(input.conditionFault, input.now));
  if (!input.alertsReachSomeone) {
    notes.push('Nobody is alerted: set alert_emails or MILLRACE_ALERT_EMAIL');
  }
  const isError = input.status === 'stopped' || input.cannotStart !== null;
  const status = isError ? 'error' : notes.length > 0 ? 'warn' : 'ok';
  return { status, notes, time: input.now.toISOString() };
}

function cannotStart(
  { detail, since, next_try_at }: NonNullable<HealthInput['cannotStart']>,
  now: Date,
): string {
  return `Can't send since ${clockText(since, now)}: ${lower(detail)}; next try ${clockText(next_try_at, now)}`;
}

/** A sentence as it continues after a colon. */
function lower(text: string): string {
  return `${text.slice(0, 1).toLowerCase()}${text.slice(1)}`;
}

function stopped({ statusReason, failingSince, now }: HealthInput): string {
  const why = statusReason === null ? 'Stopped' : `Stopped: ${statusReason}`;
  const since = failingSince === null ? '' : `, failing since ${clockText(failingSince, now)}`;
  return `${why}${since}; resuming continues where it stopped`;
}

function blocked(input: HealthInput): string {
  const { lastFailure, nextAttemptAt, attempts, now } = input;
  const what = lastFailure === null ? 'Failing' : failureWords(lastFailure);
  const next = nextAttemptAt === null ? 'now' : clockText(nextAttemptAt, now);
  return `${what}${sinceOf(input)}; next attempt ${next} (attempt ${attempts + 1}); ${waits(input.waiting)}`;
}

/** Since when it has failed like this, and since when it has failed at all if that is longer. */
function sinceOf({ lastFailure, failingSince, now }: HealthInput): string {
  const newest = lastFailure?.since === undefined ? null : clockText(lastFailure.since, now);
  const first = failingSince === null ? null : clockText(failingSince, now);
  if (first === null || first === newest) return newest === null ? '' : ` since ${newest}`;
  if (lastFailure === null) return ` since ${first}`;
  return `${newest === null ? '' : ` since ${newest}`}, failing since ${first}`;
}

function waits({ entries, exact }: HealthInput['waiting']): string {
  const upTo = exact ? '' : 'up to ';
  return `${upTo}${amount(entries, 'entry', 'entries')} ${isAre(entries)} waiting`;
}

function parked({ status, parked: count, nextAttemptAt, newestParked, now }: HealthInput): string {
  const many = `${amount(count, 'entry', 'entries')} ${isAre(count)} parked`;
  if (status !== 'active') return `${many} until the consumer is active`;
  const next = nextAttemptAt === null ? '' : `; next attempt ${clockText(nextAttemptAt, now)}`;
  return `${many}${next}${unmade(newestParked)}`;
}

/** Why no body can be made of the newest parked entry; what an endpoint has answered is with the attempts. */
function unmade(newest: HealthInput['newestParked']): string {
  if (newest === null || newest.code !== 'BODY_FAILED') return '';
  const why = newest.detail.replace(/^the expression of the body has no value: /u, '');
  return `; of the newest no body can be made: ${why}`;
}

function conditionFault({ entries, since, position, detail }: ConditionTrouble, now: Date): string {
  const which =
    entries === 1
      ? `an entry, which is not sent: position ${position}`
      : `${amount(entries, 'entry', 'entries')} since ${clockText(since, now)}, which are not sent; the newest is position ${position}`;
  return `The condition could not be evaluated for ${which}: ${detail.replace(/\.$/u, '')}`;
}

function capital(text: string): string {
  return `${text.slice(0, 1).toUpperCase()}${text.slice(1)}`;
}

function isAre(count: number): string {
  return count === 1 ? 'is' : 'are';
}
