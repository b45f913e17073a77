import { failureWords } from '../../rules/failurePhrase.ts';
import { givesUpAt } from '../../rules/givesUpAt.ts';
import { pausedText } from '../../rules/who.ts';
import type { Alert } from '../../schema/alert.ts';
import type { Change, Consumer } from '../../schema/consumer.ts';
import { amount } from '../words.ts';
import type { Verb } from './commands.ts';
import { waits } from './waits.ts';

/** Why a consumer sends nothing, or not as it should, and how that ends. */
export interface State {
  tone: 'bad' | 'warn' | 'idle';
  /** The reason in words: `Answered HTTP 503`. */
  title: string;
  /** The code of the failure, as attempts have it; null: there is none. */
  code: string | null;
  /** What that means, in a sentence; null: the facts say it. */
  meaning: string | null;
  facts: Fact[];
  /** The command that ends it or tries to; null: no command does. */
  verb: Verb | null;
}

/** A line of a state: a time (RFC 3339), `null` for now, or words. */
export type Fact = { name: string } & ({ at: string | null } | { text: string });

/** The facts, apart from the consumer itself, on which its state depends. */
export interface Known {
  /** As `/v1/info` has it, such as `24h`; undefined while it is read. */
  retryWindow: string | undefined;
  /** The newest ones, newest first. */
  changes: readonly Change[];
  alerts: readonly Alert[];
}

/** The state of a consumer that needs to be explained; null for one that sends, or has nothing to send. */
export function stateOf(consumer: Consumer, known: Known): State | null {
  if (consumer.cannot_start !== null) return cannotStart(consumer, consumer.cannot_start);
  if (consumer.status === 'blocked') return blocked(consumer, known);
  if (consumer.status === 'stopped') return stopped(consumer, known);
  if (consumer.status === 'paused') return paused(consumer, known);
  return null;
}

function cannotStart(
  consumer: Consumer,
  { code, detail, since, next_try_at }: NonNullable<Consumer['cannot_start']>,
): State {
  return {
    tone: 'bad',
    title: `Can't send: ${detail}`,
    code,
    meaning: null,
    facts: [
      { name: 'Since', at: since },
      { name: 'Next try', at: next_try_at },
      { name: 'Waiting', text: waiting(consumer) },
    ],
    verb: null,
  };
}

function blocked(consumer: Consumer, { retryWindow }: Known): State {
  const { last_failure: failure, failing_since, next_attempt_at } = consumer;
  const since = failure?.since ?? failing_since;
  const givesUp = givesUpAt(failing_since, retryWindow);
  return {
    tone: 'warn',
    title: failure === null ? 'Its endpoint fails' : failureWords(failure),
    code: failure?.code ?? null,
    meaning: null,
    facts: [
      ...(since === null ? [] : [{ name: 'Since', at: since }]),
      ...failingSince(failing_since, since),
      { name: 'Next attempt', at: next_attempt_at },
      ...(givesUp === null ? [] : [{ name: 'Gives up and stops', at: givesUp }]),
      { name: 'Waiting', text: waiting(consumer) },
    ],
    verb: 'retry',
  };
}

function stopped(consumer: Consumer, { alerts }: Known): State {
  const { last_failure: failure, failing_since, status_reason } = consumer;
  const stop = alerts.find(({ kind }) => kind === 'stopped' || kind === 'gone');
  return {
    tone: 'bad',
    title: status_reason === null ? 'Stopped' : `Stopped: ${status_reason}`,
    code: failure?.code ?? null,
    meaning: `Nothing is sent until you resume it; ${waiting(consumer)} wait${waitsForOne(consumer) ? 's' : ''}.`,
    facts: [
      ...(stop === undefined ? [] : [{ name: 'Since', at: stop.at }]),
      ...failingSince(failing_since, stop?.at ?? null),
      ...(failure === null ? [] : [{ name: 'Last failure', text: failureWords(failure) }]),
    ],
    verb: 'resume',
  };
}

function paused(consumer: Consumer, { changes }: Known): State {
  const reason = pausedText(consumer.status_reason ?? 'paused');
  const pause = changes.find(({ action }) => action === 'paused');
  return {
    tone: 'idle',
    title: `${reason.charAt(0).toUpperCase()}${reason.slice(1)}`,
    code: null,
    meaning: null,
    facts: [
      ...(pause === undefined ? [] : [{ name: 'Since', at: pause.at }]),
      { name: 'Waiting', text: waiting(consumer) },
    ],
    verb: 'resume',
  };
}

/** Two times that are no further apart are shown as one: their difference says nothing. */
const SAME_MS = 120_000;

/** Since when it has failed at all, if that is longer, by some minutes, than it has been as it is. */
function failingSince(failing: string | null, since: string | null): Fact[] {
  const isSame =
    failing !== null && since !== null && Date.parse(since) - Date.parse(failing) < SAME_MS;
  return failing === null || isSame ? [] : [{ name: 'Failing since', at: failing }];
}

/** Whether what waits is a single thing, or nothing. */
function waitsForOne({ lag, parked }: Consumer): boolean {
  return parked === 0 && lag.entries <= 1;
}

function waiting({ lag, parked }: Consumer): string {
  const many = lag.entries === 0 ? 'nothing' : waits(lag, 'entry', 'entries');
  return parked === 0 ? many : `${many}, and ${amount(parked, 'parked entry', 'parked entries')}`;
}
