import { Context } from '@temporalio/activity';
import { ApplicationFailure } from '@temporalio/common';

import type { CommandApplier } from '../consumers/applyCommand.ts';
import { noteStarted } from '../consumers/consumerRows.ts';
import { loadFilter, loadSnapshot, type ConsumerSnapshot } from '../consumers/consumerSnapshot.ts';
import type { Lifecycle } from '../consumers/lifecycle.ts';
import type { Db } from '../db/db.ts';
import { isRefusedForGood, mayBeRepeated } from '../db/errors.ts';
import type { SenderConfig } from '../delivery/senderConfig.ts';
import { findHead } from '../failure/headSearch.ts';
import { loadSettled } from '../progress/cursors.ts';
import { createParkedStore } from '../progress/parkedRows.ts';
import type { Pages } from '../streams/pages.ts';
import type { ControlActivities } from './contract.ts';

export interface ControlDeps {
  db: Db;
  pages: Pages;
  applier: CommandApplier;
  lifecycle: Lifecycle;
  loadConfig: (consumerId: string) => Promise<SenderConfig | null>;
  retryWindowMs: number;
  /** Where the console is; its URL without a path. */
  publicUrl: string;
  /** Called when there may be a mail to send. */
  mailWaits: () => void;
}

/**
 * After so many attempts a faulty command fails for good, so that it does not hold up those behind it. A
 * command that Postgres refuses because of its values fails immediately.
 */
const TRIES = 5;

function giveUp(error: unknown): never {
  const mayPass = mayBeRepeated(error) || Context.current().info.attempt < TRIES;
  if (mayPass && !isRefusedForGood(error)) throw error;
  const message = error instanceof Error ? error.message : 'the command could not be applied';
  throw ApplicationFailure.nonRetryable(message);
}

/** Creates the control activities. Repeating one of them has no further effect. */
export function createControlActivities(deps: ControlDeps): ControlActivities {
  const { db, applier, lifecycle, retryWindowMs } = deps;
  const parked = createParkedStore(db);

  async function snapshotOf(consumerId: string): Promise<ConsumerSnapshot> {
    const snapshot = await loadSnapshot(db, consumerId);
    if (snapshot === null) throw new Error(`there is no consumer ${consumerId}`);
    return { ...snapshot, retryWindowMs };
  }

  return {
    load: async ({ consumerId }) => {
      await applier.unhold(consumerId);
      const snapshot = await loadSnapshot(db, consumerId);
      if (snapshot === null || snapshot.deleted) return null;
      await noteStarted(db, consumerId);
      const consolePage = `${deps.publicUrl}/consumers/${consumerId}`;
      const standing = { ...snapshot, retryWindowMs };
      return { standing, ...(await loadFilter(db, consumerId)), consolePage };
    },
    look: ({ consumerId }) => snapshotOf(consumerId),
    apply: async ({ consumerId, ask: request, at }) => {
      const answer = await applier.apply(consumerId, request, new Date(at)).catch(giveUp);
      return { answer, standing: await snapshotOf(consumerId) };
    },
    hold: ({ consumerId }) => applier.hold(consumerId),
    block: async ({ consumerId, reason, at }) => {
      await lifecycle.block(consumerId, reason, new Date(at));
      return snapshotOf(consumerId);
    },
    unblock: async ({ consumerId, at, success }) => {
      await lifecycle.unblock(consumerId, new Date(at), success);
      deps.mailWaits();
      return snapshotOf(consumerId);
    },
    warn: async ({ consumerId, at }) => {
      await lifecycle.warn(consumerId, new Date(at));
      deps.mailWaits();
      return snapshotOf(consumerId);
    },
    stop: async ({ consumerId, at, why }) => {
      await lifecycle.stop(consumerId, new Date(at), why);
      deps.mailWaits();
      return snapshotOf(consumerId);
    },
    hasHead: async ({ consumerId }) => {
      const config = await deps.loadConfig(consumerId);
      if (config === null) return false;
      const settled = await loadSettled(db, consumerId);
      if (settled === null) return false;
      if (settled.asked) return true; // once active, it would send the next entry before Retry-After is over
      const { stream, filters } = config;
      const waiting = await parked.heads(consumerId);
      if (waiting.length > 0) return true; // a parked entry is tried when nothing else waits
      const head = await findHead({
        pages: deps.pages,
        stream,
        filters,
        ...settled,
        parked: new Set(),
      });
      return head !== null;
    },
  };
}
