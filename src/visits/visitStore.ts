import type { Pipe } from '../db/db.ts';
import type { Vault } from '../db/vault.ts';
import { loadSenderConfigs, type SenderConfig } from '../delivery/senderConfig.ts';
import { confirm, type Confirmation } from '../progress/filterRows.ts';
import {
  beginLaneLease,
  endLaneLease,
  endLapsedLaneLeases,
  renewLaneLease,
  type AllLanes,
  type LaneId,
  type LaneNote,
} from '../progress/laneLeases.ts';
import type { Release } from '../progress/lease.ts';
import { claim, claimedBy, release, type Claim, type Claimed } from '../progress/leases.ts';
import { failedAttemptsOf } from '../progress/progress.ts';
import { createTargetCache } from '../targets/openTarget.ts';

/** A claimed consumer, and the data with which its sender begins. */
export interface ToVisit extends Claimed {
  /** An error says which part of the consumer or its target can't be read; null: the consumer is gone. */
  config: SenderConfig | Error | null;
  /** By position: how many attempts at entries above the consumer's position have failed. */
  failedAttempts: Map<number, number>;
}

/** Names one visit: a lane may claim a consumer again before it has noticed that it has lost it. */
export interface VisitKey {
  consumerId: string;
  epoch: number;
}

/**
 * The leases of lanes: a lane has one for all consumers that it visits. What has no answer within a quarter of a lease
 * rejects, and the next statement has another connection.
 */
export interface LaneLeases {
  /** Begins a lease of `leaseMs`, under an id that has not been used before. */
  begin(lane: LaneId, leaseMs: number): Promise<void>;
  /** Renews the lease, and returns the figures of all lanes; null when the lease is over, which cannot be undone. */
  renew(id: string, leaseMs: number, note: LaneNote): Promise<AllLanes | null>;
  /** Ends it; `leaseMs` is what it was begun for. */
  end(id: string, leaseMs: number): Promise<void>;
  /** Ends leases of any lane that are over by the clock. */
  endLapsed(): Promise<void>;
}

/** Reads and writes the rows of visited consumers, those of many consumers in one statement. */
export interface VisitStore {
  /** Claims consumers. If this rejects, some may have been claimed all the same. */
  claim(of: Claim): Promise<Claimed[]>;
  /**
   * Reads the data that the senders of claimed consumers need. The configuration is read after the claim is
   * stored, so that it includes every command that came before.
   */
  load(claimed: Claimed[]): Promise<ToVisit[]>;
  /** Releases consumers that this lane has claimed without knowing it; returns how many there were. */
  letGoOfUnknown(holder: string, isKnown: (key: VisitKey) => boolean): Promise<number>;
  /** Begins, renews and ends the lease of a lane, and those of lanes that have not renewed theirs in time. */
  lease: LaneLeases;
  /** Releases consumers; returns for each whether its lease was in force. */
  release(released: Release[]): Promise<boolean[]>;
  /** Stores which versions senders have confirmed. */
  confirm(taken: Confirmation[]): Promise<void>;
}

/** A statement about a lease is answered in this part of the lease, or counts as lost. */
const ANSWERED_PART = 1 / 4;

/** Creates the store, on the pipelined connections. */
export function createVisitStore(
  { pipe, leases }: { pipe: Pipe; leases: Pipe },
  vault: Vault,
): VisitStore {
  const targets = createTargetCache(pipe, vault);

  async function load(claimed: Claimed[]): Promise<ToVisit[]> {
    const ids = claimed.map(({ consumerId }) => consumerId);
    const positions = claimed.map(({ lease }) => lease.position);
    const [configs, failed] = await Promise.all([
      loadSenderConfigs(pipe, targets, ids),
      failedAttemptsOf(pipe, ids, positions),
    ]);
    return claimed.map((one) => ({
      ...one,
      config: configs.get(one.consumerId) ?? null,
      failedAttempts: failed.get(one.consumerId) ?? new Map<number, number>(),
    }));
  }

  /**
   * Gives a statement up that has no answer for long, with its connection: there is time left in the lease to
   * try again on another one. An answer that has come while this process did something else counts.
   */
  async function withinLease<T>(statement: Promise<T>, leaseMs: number): Promise<T> {
    const { promise: late, reject } = Promise.withResolvers<never>();
    let isOver = false;
    const timer = setTimeout(() => setImmediate(giveUp), leaseMs * ANSWERED_PART);
    function giveUp(): void {
      if (isOver) return;
      leases.drop();
      reject(new Error('there was no answer to a statement about the lease of a lane'));
    }
    try {
      return await Promise.race([statement, late]);
    } finally {
      isOver = true;
      clearTimeout(timer);
    }
  }

  return {
    claim: (of) => claim(pipe, of),
    load,
    letGoOfUnknown: async (holder, isKnown) => {
      const unknown = (await claimedBy(pipe, holder)).filter((key) => !isKnown(key));
      const left = unknown.map((key): Release => ({
        ...key,
        idle: false,
        head: 'keep',
        wants: 'visit',
      }));
      if (left.length > 0) await release(pipe, left);
      return left.length;
    },
    lease: {
      begin: (lane, leaseMs) => withinLease(beginLaneLease(leases, lane, leaseMs), leaseMs),
      renew: (id, leaseMs, note) => withinLease(renewLaneLease(leases, id, leaseMs, note), leaseMs),
      end: (id, leaseMs) => withinLease(endLaneLease(leases, id), leaseMs),
      endLapsed: () => endLapsedLaneLeases(pipe),
    },
    release: async (released) => {
      const done = await release(pipe, released);
      return released.map(({ consumerId }) => done.has(consumerId));
    },
    confirm: (taken) => confirm(pipe, taken),
  };
}
