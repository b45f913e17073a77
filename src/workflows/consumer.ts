import { defineSearchAttributeKey } from '@temporalio/common';
import {
  CancellationScope,
  allHandlersFinished,
  condition,
  continueAsNew,
  isCancellation,
  log,
  patched,
  proxyActivities,
  setCurrentDetails,
  setHandler,
  upsertSearchAttributes,
  workflowInfo,
} from '@temporalio/workflow';

import type {
  ControlActivities,
  Delivered,
  DeliveryActivities,
  Drained,
} from '../activities/contract.ts';
import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import { needsHold, type Command } from '../rules/command.ts';
import { applyDelta, describeFilter } from '../rules/filter.ts';
import { lastAttemptMarginMs } from '../rules/retry.ts';
import type { Filter } from '../schema/consumer.ts';
import { details } from './details.ts';
import { openMailbox, type PendingCommand } from './mailbox.ts';
import * as messages from './messages.ts';
import { wasFinal } from './wasFinal.ts';

export interface ConsumerArgs {
  consumerId: string;
  /** Task queue of the consumer's region. */
  deliveryQueue: string;
  /** Until a worker has said what holds. */
  retryWindowMs: number;
  /** Carried over a continue-as-new. */
  carried?: { wanted: number; note: string | null; published: string; retryNow?: boolean };
}

const STATUS = defineSearchAttributeKey('ConsumerStatus', 'KEYWORD');
const HOST = defineSearchAttributeKey('TargetHost', 'KEYWORD');
const DAY_MS = 86_400_000;

/** A `drain` or `deliver` under way; it is never awaited where a command could wait for it. */
interface Sending {
  kind: 'drain' | 'deliver';
  scope: CancellationScope;
  done: boolean;
  result: Drained | Delivered | null;
  error: unknown;
  /** A command was applied since it began: what it says of the row may be older than the row. */
  outdated: boolean;
}

/**
 * One consumer, for as long as it exists. Runs `drain` while there is something to send,
 * `deliver` while the endpoint fails, nothing while it is idle, paused or stopped; applies
 * commands one by one in the order they came. The row in Postgres is the truth.
 */
export async function consumer(args: ConsumerArgs): Promise<void> {
  const { consumerId, deliveryQueue } = args;
  const mailbox = openMailbox();
  mailbox.wanted = args.carried?.wanted ?? 0;
  mailbox.note = args.carried?.note ?? null;
  let published = args.carried?.published ?? '';
  let standing: ConsumerSnapshot | null = null;
  let filter: Filter = { syncs: [], collections: [], event_types: [] };
  let truncated = false;
  let sending: Sending | null = null;
  let retryNow = args.carried?.retryNow ?? false;
  let notBefore = 0; // after a `deliver` that ended without a verdict
  // Histories from before it have no timers for warnings and parked entries.
  const timed = patched('warnings-and-parked');
  setHandler(messages.state, () => ({
    status: standing?.status ?? 'active',
    status_reason: standing?.statusReason ?? null,
    filter,
    filter_version: standing?.filterVersion ?? 0,
    next_attempt_at: standing?.status === 'blocked' ? standing.nextAttemptAt : null,
    truncated,
  }));

  const control = proxyActivities<ControlActivities>({
    startToCloseTimeout: '30s',
    retry: { initialInterval: '250ms', maximumInterval: '5s' },
  });

  if (!(await load())) return;
  for (;;) {
    publish();
    const pending = mailbox.commands[0];
    if (pending !== undefined) {
      await handle(pending);
      mailbox.commands.shift();
    } else if (sending !== null && (sending as Sending).done) {
      await conclude(takeSending());
    } else if (mailbox.headReport !== null) {
      if (now().status === 'blocked') standing = { ...now(), ...mailbox.headReport };
      mailbox.headReport = null;
    } else if (timed && untilWarning() <= 0) {
      standing = { ...(await control.warn({ consumerId, at: time() })), warned: true };
    } else if (now().deleted) {
      await quiet();
      return;
    } else if (continueDue()) {
      await quiet();
      // A command that came meanwhile is answered first: its handler waits for that.
      await condition(() => mailbox.commands.length > 0 || allHandlersFinished());
      if (mailbox.commands.length === 0) {
        const carried = { wanted: mailbox.wanted, note: mailbox.note, published, retryNow };
        await continueAsNew<typeof consumer>({ ...args, retryWindowMs: windowMs(), carried });
      }
    } else {
      startSending();
      await somethingToDo();
    }
  }

  // ── sending ────────────────────────────────────────────────────────────────────────────

  function startSending(): void {
    if (sending !== null) return;
    const { status, idle, position } = now();
    if (status !== 'blocked') retryNow = false; // it was of a failure that is over
    if (status === 'active' && (!idle || mailbox.wanted > position || untilParked() <= 0)) {
      standing = { ...now(), idle: false, parkedDueAt: null };
      start('drain', drain);
    }
    if (status === 'blocked' && (retryNow || untilNextAttempt() <= 0)) {
      retryNow = false;
      // Where the window ended without an attempt (we were down ourselves), one more decides.
      const leftMs = remainingMs();
      const last = leftMs <= lastAttemptMarginMs(windowMs());
      start('deliver', () => deliver(leftMs, last));
    }
  }

  function start(kind: Sending['kind'], run: () => Promise<Drained | Delivered>): void {
    const started: Sending = {
      kind,
      scope: new CancellationScope(),
      done: false,
      result: null,
      error: null,
      outdated: false,
    };
    sending = started;
    started.scope
      .run(run)
      .then(
        (result) => {
          started.result = result;
        },
        (error: unknown) => {
          started.error = error;
        },
      )
      .finally(() => {
        started.done = true;
      });
  }

  function drain(): Promise<Drained> {
    const { drain: activity } = proxyActivities<DeliveryActivities>({
      taskQueue: deliveryQueue,
      startToCloseTimeout: '3h',
      heartbeatTimeout: '15s',
      retry: { initialInterval: '500ms', maximumInterval: '5s' },
      summary: `to ${now().targetHost}`.slice(0, 100),
    });
    return activity({ consumerId });
  }

  function deliver(leftMs: number, last: boolean): Promise<Delivered> {
    const { deliver: activity } = proxyActivities<DeliveryActivities>({
      taskQueue: deliveryQueue,
      // Waiting out a lease, three requests of 15 s (the head, a probe, the head) with up to a second
      // before each, and a minute to commit.
      startToCloseTimeout: '150s',
      ...(last ? {} : { scheduleToCloseTimeout: leftMs }),
      heartbeatTimeout: '20s',
      retry: last
        ? { maximumAttempts: 1 }
        : // Only our own faults go by it: the endpoint's failures say when the next attempt is.
          { initialInterval: '2s', backoffCoefficient: 1 },
      summary: `the failing head, to ${now().targetHost}`.slice(0, 100),
    });
    return activity({ consumerId, last, windowMs: windowMs() });
  }

  async function conclude(ended: Sending): Promise<void> {
    if (ended.kind === 'drain') await concludeDrain(ended);
    else await concludeDeliver(ended);
  }

  async function concludeDrain(ended: Sending): Promise<void> {
    const drained = ended.result as Drained | null;
    // A command that came when it had just fallen idle has taken it out of the leader's hands.
    const woken = drained?.reason === 'idle' && ended.outdated;
    if (drained?.reason === 'blocked') {
      const reason = drained.failure ?? 'the endpoint fails';
      standing = await control.block({ consumerId, reason, at: time() });
    } else if (!woken && (drained?.reason === 'idle' || drained?.reason === 'yielded')) {
      const { position, parkedDueAt } = drained;
      standing = { ...now(), position, idle: drained.reason === 'idle', parkedDueAt };
    } else if (drained?.reason === 'gone' || drained?.reason === 'parked') {
      standing = await control.stop({ consumerId, at: time(), why: drained.reason });
    } else {
      standing = await control.look({ consumerId });
    }
  }

  async function concludeDeliver(ended: Sending): Promise<void> {
    if (ended.result !== null) {
      const { outcome } = ended.result as Delivered;
      if (outcome === 'changed') standing = await control.look({ consumerId });
      else if (outcome === 'gone')
        standing = await control.stop({ consumerId, at: time(), why: 'gone' });
      else {
        const success = outcome !== 'clear';
        standing = await control.unblock({ consumerId, at: time(), success });
      }
      return;
    }
    if (wasFinal(ended.error)) {
      standing = await control.stop({ consumerId, at: time(), why: 'window' });
      return;
    }
    standing = await control.look({ consumerId });
    if (!isCancellation(ended.error)) notBefore = Date.now() + 1_000;
  }

  /** Ends what is being sent and waits for it; what is in flight ends and is stored. */
  async function quiet(): Promise<void> {
    if (sending === null) return;
    const ending: Sending = sending;
    // A drain hears of a hold at once, of its cancellation only with a heartbeat.
    if (timed && ending.kind === 'drain') await control.hold({ consumerId });
    else ending.scope.cancel();
    await condition(() => ending.done);
    if (sending === ending) await conclude(takeSending());
  }

  function takeSending(): Sending {
    const ended = sending as Sending;
    sending = null;
    return ended;
  }

  // ── commands ───────────────────────────────────────────────────────────────────────────

  async function handle(pending: PendingCommand): Promise<void> {
    const { command } = pending.request;
    if (needsHold(command) && isSending('drain')) {
      await control.hold({ consumerId });
      await condition(() => sending === null || sending.done);
      if (sending !== null) await conclude(takeSending());
    }
    if (command.kind === 'seek' && isSending('deliver')) await quiet();
    try {
      const applied = await control.apply({ consumerId, ask: pending.request, at: time() });
      const before = now();
      standing = applied.standing;
      if (sending !== null) sending.outdated = true;
      if (applied.answer.ok) await follow(command, before);
      pending.answer = applied.answer;
      if (!applied.answer.ok && pending.request.actor === 'temporal') {
        mailbox.note = `Refused ${command.kind}: ${applied.answer.detail}`;
        log.warn(mailbox.note);
      }
    } catch (error) {
      pending.error = error instanceof Error ? error.message : 'the command failed';
      log.error('a command could not be applied', { error, kind: command.kind });
      standing = await control.look({ consumerId });
    }
  }

  /** What a command means for what is being sent. */
  async function follow(command: Command, before: ConsumerSnapshot): Promise<void> {
    const changedFilter = now().filterVersion !== before.filterVersion;
    if (changedFilter) await refreshFilter(command);
    if (command.kind === 'retry' && now().status === 'blocked') {
      retryNow = true;
      if (isSending('deliver')) await quiet();
    }
    if (now().status !== 'blocked' && isSending('deliver')) await quiet();
    if (now().status === 'blocked' && changedFilter && !(await control.hasHead({ consumerId }))) {
      if (isSending('deliver')) await quiet();
      standing = await control.unblock({ consumerId, at: time(), success: false });
    }
  }

  async function refreshFilter(command: Command): Promise<void> {
    if (command.kind === 'filter' && !truncated) {
      const edited = applyDelta(filter, command.delta, now().stream);
      if (edited.ok) {
        filter = edited.filter;
        return;
      }
    }
    await load();
  }

  // ── the rest ───────────────────────────────────────────────────────────────────────────

  async function load(): Promise<boolean> {
    const loaded = await control.load({ consumerId });
    if (loaded === null) return false;
    ({ standing, filter, truncated } = loaded);
    return true;
  }

  function now(): ConsumerSnapshot {
    if (standing === null) throw new Error('the consumer is not loaded');
    return standing;
  }

  function isSending(kind: Sending['kind']): boolean {
    return sending !== null && sending.kind === kind && !sending.done;
  }

  async function somethingToDo(): Promise<void> {
    const ready = (): boolean =>
      mailbox.commands.length > 0 ||
      mailbox.headReport !== null ||
      (sending?.done ?? false) ||
      continueDue() ||
      (sending === null &&
        now().status === 'active' &&
        (!now().idle || mailbox.wanted > now().position));
    const wait = Math.min(
      sending === null && now().status === 'blocked' ? untilNextAttempt() : Infinity,
      timed ? untilWarning() : Infinity,
      timed && sending === null ? untilParked() : Infinity,
    );
    if (wait > 0 && wait < Infinity) await condition(ready, wait);
    else await condition(ready);
  }

  /** Until whoever is named is warned of a failing endpoint, ms; Infinity: there is nothing to warn of. */
  function untilWarning(): number {
    const { status, failingSince, warned } = now();
    if (status !== 'blocked' || failingSince === null || warned) return Infinity;
    return Date.parse(failingSince) + windowMs() / 24 - Date.now();
  }

  /** Until the next parked entry of an idle consumer is due, ms; Infinity: none is parked. */
  function untilParked(): number {
    const { status, idle, parkedDueAt } = now();
    if (!timed || status !== 'active' || !idle || parkedDueAt === null) return Infinity;
    return Date.parse(parkedDueAt) - Date.now();
  }

  function untilNextAttempt(): number {
    const at = now().nextAttemptAt;
    return Math.max(at === null ? 0 : Date.parse(at), notBefore) - Date.now();
  }

  function remainingMs(): number {
    const since = now().failingSince;
    return since === null ? windowMs() : windowMs() - (Date.now() - Date.parse(since));
  }

  /** As its worker has it: another setting holds from the next thing that the workflow hears of its row. */
  function windowMs(): number {
    return now().retryWindowMs ?? args.retryWindowMs;
  }

  /** Workflow time, which follows time skipping. */
  function time(): string {
    return new Date(Date.now()).toISOString();
  }

  function continueDue(): boolean {
    const info = workflowInfo();
    return info.continueAsNewSuggested || Date.now() - info.runStartTime.getTime() > DAY_MS;
  }

  /** Shows the state in the Temporal UI; search attributes only when they change. */
  function publish(): void {
    const current = now();
    setCurrentDetails(details(current, describeFilter(filter), mailbox.note));
    const attributes = `${current.status} ${current.targetHost}`;
    if (attributes === published) return;
    published = attributes;
    upsertSearchAttributes([
      { key: STATUS, value: current.status },
      { key: HOST, value: current.targetHost },
    ]);
  }
}
