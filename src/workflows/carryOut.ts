import { log } from '@temporalio/workflow';

import type { ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import { needsHold, type Command } from '../rules/command.ts';
import { applyDelta } from '../rules/filter.ts';
import type { Control } from './control.ts';
import type { Known } from './known.ts';
import type { Mailbox } from './mailbox.ts';
import type { Sending } from './sending.ts';

export interface CarryOutOptions {
  control: Control;
  known: Known;
  mailbox: Mailbox;
  sending: Sending;
}

/**
 * Returns a function that carries out the mailbox's next command: it makes a sender that is in the way
 * release, applies the command, makes the sender follow it, and answers it. A command that cannot be
 * applied is answered with an error, so that those behind it get their turn.
 */
export function createCarryOut(options: CarryOutOptions): () => Promise<void> {
  const { control, known, mailbox, sending } = options;

  async function carryOutNext(): Promise<void> {
    const pending = mailbox.commands.shift();
    if (pending === undefined) return;
    const { command } = pending.request;
    if (needsHold(command) && sending.isSending('drain')) await sending.hold();
    if (command.kind === 'seek' && sending.isSending('deliver')) await sending.quiet();
    try {
      const applied = await control.apply(pending.request);
      const before = known.snapshot;
      known.snapshot = applied.standing;
      sending.outdate();
      if (known.cannotStart !== null) known.cannotStart = { ...known.cannotStart, until: 0 };
      if (applied.answer.ok) await follow(command, before);
      pending.answer = applied.answer;
      if (!applied.answer.ok && pending.request.actor === 'temporal') {
        mailbox.note = `Refused ${command.kind}: ${applied.answer.detail}`;
        log.warn(mailbox.note);
      }
    } catch (error) {
      pending.error = error instanceof Error ? error.message : 'the command failed';
      log.error('a command could not be applied', { error, kind: command.kind });
      known.snapshot = await control.look();
    }
  }

  /** Applies the consequences of a command to the filter that is shown and to the sender. */
  async function follow(command: Command, before: ConsumerSnapshot): Promise<void> {
    const changedFilter = known.snapshot.filterVersion !== before.filterVersion;
    if (changedFilter) await refreshFilter(command);
    if (command.kind === 'retry' && isBlocked()) {
      known.retryNow = true;
      if (sending.isSending('deliver')) await sending.quiet();
    }
    if (!isBlocked() && sending.isSending('deliver')) await sending.quiet();
    if (changedFilter && isBlocked() && !(await control.hasHead())) {
      if (sending.isSending('deliver')) await sending.quiet();
      known.snapshot = await control.unblock(false);
    }
  }

  /** Edits the filter as the row's filter was edited; if it was cut or replaced, it is read again. */
  async function refreshFilter(command: Command): Promise<void> {
    if (command.kind === 'filter' && !known.truncated) {
      const edited = applyDelta(known.filter, command.delta, known.snapshot.stream);
      if (edited.ok) {
        known.filter = edited.filter;
        return;
      }
    }
    await reload();
  }

  async function reload(): Promise<void> {
    const loaded = await control.load();
    if (loaded === null) return;
    known.snapshot = loaded.standing;
    known.filter = loaded.filter;
    known.truncated = loaded.truncated;
  }

  function isBlocked(): boolean {
    return known.snapshot.status === 'blocked';
  }

  return carryOutNext;
}
