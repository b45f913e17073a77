import { hash } from 'node:crypto';

import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntry } from '../failure/parkedEntry.ts';
import { batchIdOf } from '../rules/batchId.ts';
import type { Entry } from '../streams/entry.ts';

/** The entries of one request of a consumer with batches, by position, as one message. */
export class BatchMessage implements Outgoing {
  members: readonly Outgoing[] = [];
  messageId = '';
  position = 0;
  attempt = 1;
  readonly entry: Entry;
  /** That of its entries where all have the same; otherwise the batch has a trace of its own. */
  traceparent: string | null = null;
  /** A parked entry goes alone. */
  readonly parked: ParkedEntry | null;
  readonly readAt: number;
  readonly readyAt: number;
  readonly body = '';
  readonly settled = false;
  readonly sent = true;
  readonly next = null;
  readonly lane = '';
  readonly #consumerId: string;
  readonly #leave: (rest: readonly Outgoing[]) => void;

  /** `leave` is called with the entries that are left to a later request. */
  constructor(
    consumerId: string,
    members: readonly Outgoing[],
    leave: (rest: readonly Outgoing[]) => void,
  ) {
    this.#consumerId = consumerId;
    this.#leave = leave;
    const first = members[0] as Outgoing;
    this.#carry(members);
    this.entry = first.entry;
    this.parked = first.parked;
    this.readAt = first.readAt;
    this.readyAt = first.readyAt;
  }

  #carry(members: readonly Outgoing[]): void {
    const first = members[0] as Outgoing;
    this.members = members;
    this.messageId = members.length === 1 ? first.messageId : batchId(this.#consumerId, members);
    this.position = (members.at(-1) as Outgoing).position;
    this.attempt = members.reduce((most, { attempt }) => Math.max(most, attempt), 1);
    const isOneTrace = members.every(({ traceparent }) => traceparent === first.traceparent);
    this.traceparent = isOneTrace ? first.traceparent : null;
  }

  /** Leaves the entries after the first `count` to a later request. Returns the number of the attempt that it then is. */
  keep(count: number): number {
    const rest = this.members.slice(count);
    this.#carry(this.members.slice(0, count));
    this.#leave(rest);
    return this.attempt;
  }

  get bodies(): string[] {
    return this.members.map(({ entry }) => entry.body);
  }

  /** Whether an edit of the filter has removed one of the entries. */
  get closed(): boolean {
    return this.members.some(({ closed }) => closed);
  }
}

/**
 * The `webhook-id` of a batch, whose entries are sorted by position: the same for the same entries, and never the same for
 * others. A receiver that drops what it has had under an id therefore loses nothing when, after a crash, the entries are
 * put together differently.
 */
export function batchId(
  consumerId: string,
  members: readonly { messageId: string; position: number }[],
): string {
  const text = [consumerId, ...members.map(({ messageId }) => messageId)].join('\n');
  return batchIdOf(members[0]?.position ?? 0, hash('sha256', text, 'hex'));
}
