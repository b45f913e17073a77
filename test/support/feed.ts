import { setTimeout as wait } from 'node:timers/promises';

import type { Cluster } from './processes.ts';
import type { TestReceiver } from './receiver.ts';

/** A producer that knows what it was promised: each event's id names its record and its number there. */
export interface Feed {
  /** Ids of events whose append was answered 2xx. */
  accepted: Set<string>;
  /** Appends events `from` to `to` of this producer, in order; resolves when all are accepted. */
  append(from: number, to: number): Promise<void>;
  /** As `append`, but an append that fails is not repeated. Ids of those that were not answered. */
  appendOnce(from: number, to: number): Promise<string[]>;
}

const RECORDS = 40;
const BATCH = 50;
const AGAIN_MS = 20;

export function createFeed(cluster: Cluster, name: string): Feed {
  const accepted = new Set<string>();

  async function send(from: number, to: number): Promise<void> {
    const events = range(from, to).map((n) => ({
      sync_id: 'sync',
      collection_id: 'shop:order',
      upstream_id: recordOf(`${name}-${n}`),
      event: 'updated',
      event_id: `${name}-${n}`,
      data: { n, text: 'x'.repeat(200) },
    }));
    const answer = await cluster.request<{ accepted: number; duplicates: number }>(
      'POST',
      '/v1/events',
      { events },
    );
    if (answer.accepted + answer.duplicates !== events.length) throw new Error('a part is missing');
    for (const { event_id } of events) accepted.add(event_id);
  }

  async function append(from: number, to: number): Promise<void> {
    for (let at = from; at < to;) {
      const end = Math.min(to, at + BATCH);
      try {
        await send(at, end);
        at = end;
      } catch {
        await wait(AGAIN_MS); // the same ids again, until they are accepted
      }
    }
  }

  async function appendOnce(from: number, to: number): Promise<string[]> {
    const unanswered: string[] = [];
    for (let at = from; at < to; at += BATCH) {
      const end = Math.min(to, at + BATCH);
      try {
        await send(at, end);
      } catch {
        unanswered.push(...range(at, end).map((n) => `${name}-${n}`));
        await wait(AGAIN_MS); // whoever would answer is away
      }
    }
    return unanswered;
  }

  return { accepted, append, appendOnce };
}

/** What comes in the 25 ms between two commits and while one is stored. */
const COMMIT_MS = 100;
/** A commit of a disk that others use, too, may take that much longer. */
const STALL_MS = 10_000;

/** From when what was taken may not be stored, of a sender that died at `at`, its last commit at `storedAt`. */
export function unstoredFrom(at: number, storedAt: number): number {
  return Math.max(at - STALL_MS, Math.min(at, storedAt)) - COMMIT_MS;
}

export interface Tally {
  /** Accepted, but not received. */
  missing: string[];
  /** Received more than once: the positions of the repeats. */
  repeated: number[];
  /** First deliveries that came after a later one of their record. */
  outOfOrder: string[];
}

/** What a receiver got of what the feeds were promised. */
export function tally(receiver: TestReceiver, feeds: Feed[]): Tally {
  const seen = new Set<string>();
  const newest = new Map<string, number>();
  const repeated: number[] = [];
  const outOfOrder: string[] = [];
  for (const { id, position } of receiver.received) {
    if (seen.has(id)) {
      repeated.push(position);
      continue;
    }
    seen.add(id);
    const n = Number(id.split('-')[1]);
    if (n < (newest.get(recordOf(id)) ?? -1)) outOfOrder.push(id);
    newest.set(recordOf(id), n);
  }
  const missing = feeds.flatMap(({ accepted }) => [...accepted].filter((id) => !seen.has(id)));
  return { missing, repeated, outOfOrder };
}

function recordOf(id: string): string {
  const [name, n] = id.split('-');
  return `${name}-r${Number(n) % RECORDS}`;
}

function range(from: number, to: number): number[] {
  return Array.from({ length: to - from }, (_, index) => from + index);
}
