import { lengthMs } from '../../rules/lengths.ts';
import { waitingInAll, type Waits } from '../../rules/waitingWords.ts';
import { inWords } from '../../rules/words.ts';
import type { Consumer } from '../../schema/consumer.ts';
import { amount } from '../words.ts';
import type { EveryVerb, Outcome } from './everyOne.ts';

/** What of consumers a command for all of them depends on. */
export type Concerned = Pick<Consumer, 'lag' | 'parked' | 'ordering'>;

/**
 * What a command will do to all these consumers, and how many entries it concerns. `retryWindow` is as `/v1/info`
 * has it.
 */
export function allPlan(
  verb: EveryVerb,
  consumers: readonly Concerned[],
  retryWindow: string | undefined,
): string {
  const isSingle = consumers.length === 1;
  if (verb === 'pause') {
    const it = isSingle
      ? 'it continues where it stopped when it is'
      : 'each continues where it stopped when it is';
    return `No new requests ${isSingle ? '' : 'of theirs '}start; requests in flight finish. Nothing is lost: ${it} resumed.`;
  }
  const lags = consumers.map(({ lag }) => lag).filter(({ entries }) => entries > 0);
  const ms = lengthMs(retryWindow);
  const ofLength = ms === null ? '' : ` of ${inWords(ms)}`;
  const inOrder = consumers.some(({ ordering }) => ordering === 'none') ? '' : ' in order';
  const said: string[] = [];
  if (verb === 'resume') {
    said.push(
      lags.length === 0
        ? 'Nothing waits.'
        : `${waitingInAll(lags, 'entry will be sent', 'entries will be sent')}.`,
      `${isSingle ? 'It' : 'Each'} continues${inOrder} from where it stopped, with a new retry window${ofLength}.`,
    );
  } else {
    if (lags.length > 0) said.push(`${waitingInAll(lags, 'entry waits', 'entries wait')}.`);
    said.push(
      `${isSingle ? 'The next entry' : 'The next entry of each'} is tried now; once it is delivered, the others follow${inOrder}.`,
      `The retry window${ofLength} is not reset.`,
    );
  }
  const parked = consumers.reduce((sum, one) => sum + one.parked, 0);
  if (parked > 0) {
    const when = verb === 'resume' ? 'when due' : 'now';
    said.push(`${amount(parked, 'parked entry is', 'parked entries are')} retried ${when}.`);
  }
  return said.join(' ');
}

/** What became of a command that was given to these consumers. */
export function outcomeText(
  verb: EveryVerb,
  consumers: readonly (Pick<Consumer, 'id'> & { lag: Waits })[],
  { failed }: Outcome,
): string {
  const refused = new Set(failed.map(({ id }) => id));
  const done = consumers.filter(({ id }) => !refused.has(id));
  const said = doneText(verb, done);
  const [first] = failed;
  if (first === undefined) return said;
  return `${said} Failed for ${amount(failed.length, 'consumer')}: ${first.name}: ${first.reason}${failed.length > 1 ? ', and others' : ''}`;
}

function doneText(verb: EveryVerb, done: readonly { lag: Waits }[]): string {
  const many = amount(done.length, 'consumer');
  if (verb === 'pause') return `Paused: ${many}.`;
  const all = {
    entries: done.reduce((sum, { lag }) => sum + lag.entries, 0),
    exact: done.every(({ lag }) => lag.exact),
  };
  const what = verb === 'resume' ? 'resumed' : 'retried';
  if (all.entries === 0) return `${many} ${what}; nothing waits.`;
  const [one, more] =
    verb === 'resume'
      ? ['entry is being sent', 'entries are being sent']
      : ['entry waits for the outcome', 'entries wait for the outcome'];
  return `${many} ${what}; ${waitingInAll([all], one, more)}.`;
}
