import {
  allHandlersFinished,
  condition,
  continueAsNew,
  patched,
  setHandler,
  workflowInfo,
} from '@temporalio/workflow';

import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import { createCarryOut } from './carryOut.ts';
import { createConclude } from './conclude.ts';
import { openControl, type Control } from './control.ts';
import { stateOf, windowMs, type Known } from './known.ts';
import { openMailbox, type Mailbox } from './mailbox.ts';
import * as messages from './messages.ts';
import { createPublisher } from './publish.ts';
import { createSending } from './sending.ts';
import { untilDrain, untilNextAttempt, untilWarning } from './timing.ts';
import { dueTurn, hasSomethingCome, nextTime, type Turn } from './turns.ts';

/** The arguments of a consumer's workflow. */
export interface ConsumerArgs {
  consumerId: string;
  /** The task queue of the consumer's region. */
  deliveryQueue: string;
  /** The retry window, ms, until a worker has reported its own. */
  retryWindowMs: number;
  /** The state that the previous run handed over, after a continue-as-new. */
  carried?: Carried;
}

interface Carried {
  wanted: number;
  note: string | null;
  /** The search attributes that were set last. */
  published: string;
  /** The memo that was set last; older histories lack it. */
  memo?: string;
  retryNow?: boolean;
}

const DAY_MS = 86_400_000;

/**
 * The workflow of one consumer, for as long as it exists. It runs `drain` while there is something to send,
 * `deliver` while the endpoint fails, and nothing while the consumer is idle, paused or stopped. It applies
 * commands one by one, in the order in which they came. The row in Postgres is the source of truth.
 */
export async function consumer(args: ConsumerArgs): Promise<void> {
  const mailbox = openMailbox();
  mailbox.wanted = args.carried?.wanted ?? 0;
  mailbox.note = args.carried?.note ?? null;
  // In histories from before this patch, a drain leaves what the leader wanted of it.
  const takesWanted = patched('a-drain-takes-what-is-wanted');
  // Histories from before this one have no memo, and no id of the target among the search attributes.
  const named = takesWanted || patched('memo-and-target');
  // Histories from before this one have an activity for the first look at the row.
  const looksSoon = named || patched('look-within-task');
  // Histories from before this one have no timers for warnings and parked entries.
  const timed = looksSoon || patched('warnings-and-parked');
  let known: Known | null = null;
  setHandler(messages.state, () => stateOf(known), {
    description: 'Its status and why, its filter, and when the failing entry is tried next.',
  });

  const control = openControl(args.consumerId);
  const loaded = looksSoon ? await control.loadSoon() : await control.load();
  if (loaded === null) return;
  known = {
    snapshot: loaded.standing,
    filter: loaded.filter,
    truncated: loaded.truncated,
    ...(loaded.consolePage === undefined ? {} : { consolePage: loaded.consolePage }),
    firstWindowMs: args.retryWindowMs,
    retryNow: args.carried?.retryNow ?? false,
    notBefore: 0,
    cannotStart: null,
  };
  await live({ args, mailbox, timed, named, takesWanted, control, known });
}

interface Life {
  args: ConsumerArgs;
  mailbox: Mailbox;
  timed: boolean;
  named: boolean;
  takesWanted: boolean;
  control: Control;
  known: Known;
}

/**
 * Takes the turns of a consumer, one after another, until it is deleted or its workflow continues as
 * new. The next turn is the first in the list that is due; when none is due, it waits for one.
 */
async function live(life: Life): Promise<void> {
  const { args, mailbox, timed, named, control, known } = life;
  const conclude = createConclude({ control, known });
  const sending = createSending({ ...args, control, known, conclude, quietHolds: timed });
  const carryOut = createCarryOut({ control, known, mailbox, sending });
  const { published = '', memo = '' } = args.carried ?? {};
  const { deliveryQueue } = args;
  const publisher = createPublisher({ deliveryQueue, before: { published, memo }, named });
  mailbox.onNote = () => publisher.show(known, mailbox.note);
  let taken = 0; // by the last drain, of what the leader wanted
  let over = false;

  const turns: Turn[] = [
    { isDue: () => mailbox.commands.length > 0, act: carryOut },
    { isDue: sending.hasEnded, act: sending.concludeEnded },
    { isDue: () => mailbox.headReport !== null, act: readHeadReport },
    {
      untilDueMs: () =>
        timed ? untilWarning(known.snapshot, windowMs(known), Date.now()) : Infinity,
      timer: () => 'until an alert says that its endpoint keeps failing',
      act: warn,
    },
    { isDue: () => known.snapshot.deleted, act: end },
    { isDue: isRunLong, act: goOnAsNew },
    { isDue: () => sending.isNone() && known.retryNow && !isBlocked(), act: forgetRetry },
    {
      isDue: () => sending.isNone() && (known.cannotStart === null || !timed) && wantsDrain(),
      untilDueMs: () => (timed && sending.isNone() ? untilDrainMs() : Infinity),
      timer: () =>
        known.cannotStart === null
          ? 'until the next parked entry is due'
          : "until the next try, because it can't send",
      act: drain,
    },
    {
      isDue: () => sending.isNone() && known.retryNow && isBlocked(),
      untilDueMs: () =>
        sending.isNone() ? untilNextAttempt(known.snapshot, notBefore(), Date.now()) : Infinity,
      timer: () => 'until the next attempt at the failing entry',
      act: deliver,
    },
  ];

  while (!over) {
    publisher.publish(known, mailbox.note);
    const turn = dueTurn(turns);
    const acting = turn === undefined ? untilOneIsDue() : turn.act();
    // An await without need would change when the end of a sender is seen: before or after the next turn
    // when both come together. Running workflows have to decide as they did.
    if (acting !== undefined) await acting;
  }

  async function untilOneIsDue(): Promise<void> {
    const ready = (): boolean => hasSomethingCome(turns);
    const { ms, timer } = nextTime(turns);
    if (ms < Infinity) await condition(ready, ms, { summary: timer });
    else await condition(ready); // without a timer
  }

  function readHeadReport(): void {
    if (isBlocked()) known.snapshot = { ...known.snapshot, ...mailbox.headReport };
    mailbox.headReport = null;
  }

  async function warn(): Promise<void> {
    known.snapshot = { ...(await control.warn()), warned: true };
  }

  /** Forgets the request to try the head without waiting, because the failure is over. */
  function forgetRetry(): void {
    known.retryNow = false;
  }

  function drain(): void {
    known.snapshot = { ...known.snapshot, idle: false, parkedDueAt: null };
    if (life.takesWanted) {
      taken = wanted();
      mailbox.wanted = 0; // if an entry is still wanted when the drain has ended, the leader signals again
    }
    sending.startDrain();
  }

  /** The position that the leader wants the consumer to reach, even if a drain could not start. */
  function wanted(): number {
    return known.cannotStart === null ? mailbox.wanted : Math.max(mailbox.wanted, taken);
  }

  function wantsDrain(): boolean {
    return hasSomethingToSend(known.snapshot, wanted());
  }

  function untilDrainMs(): number {
    const again = { wants: wantsDrain(), notBefore: known.cannotStart?.until ?? null };
    return untilDrain(known.snapshot, again, Date.now());
  }

  /** The failing head is not tried before this time, unix ms. */
  function notBefore(): number {
    return Math.max(known.notBefore, known.cannotStart?.until ?? 0);
  }

  function deliver(): void {
    known.retryNow = false;
    sending.startDeliver();
  }

  function isBlocked(): boolean {
    return known.snapshot.status === 'blocked';
  }

  async function end(): Promise<void> {
    await sending.quiet();
    over = true;
  }

  /** Continues as new; nothing is awaited between the decision to do so and the call. */
  async function goOnAsNew(): Promise<void> {
    await sending.quiet();
    // A command that came meanwhile is answered first, as its handler waits for the answer.
    await condition(() => mailbox.commands.length > 0 || allHandlersFinished());
    if (mailbox.commands.length > 0) return;
    const { note } = mailbox;
    const { published: shown, memo: memorized } = publisher;
    const carried = {
      wanted: wanted(),
      note,
      published: shown,
      memo: memorized,
      retryNow: known.retryNow,
    };
    await continueAsNew<typeof consumer>({ ...args, retryWindowMs: windowMs(known), carried });
  }
}

function hasSomethingToSend({ status, idle, position }: ConsumerSnapshot, wanted: number): boolean {
  return status === 'active' && (!idle || wanted > position);
}

/** Whether the history has become long, or the run is older than a day. */
function isRunLong(): boolean {
  const { continueAsNewSuggested, runStartTime } = workflowInfo();
  return continueAsNewSuggested || Date.now() - runStartTime.getTime() > DAY_MS;
}
