import type { CommandAnswer, Command } from '../../src/rules/command.ts';
import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { Ordering } from '../../src/schema/consumer.ts';
import type { Snapshot } from './modelSnapshot.ts';
import { WINDOW_MS } from './process.ts';
import type { Arrival, Reply } from './wire.ts';

const MINUTE = 60_000;

/** When a request may be sent, and how many beside it. */
export interface ModelRequests {
  arrives(request: Arrival, records: readonly number[], reply: Reply): void;
  over(request: Arrival, read: boolean): void;
  /** Whether a request with this position is open. */
  isOpen(position: number): boolean;
  applying(command: Command): void;
  applied(command: Command, answer: CommandAnswer, now: Snapshot): void;
  stopped(): void;
  /** Learns from Postgres when the retry window ends. */
  looked(now: Snapshot): void;
  /** The sender died: its successor knows only what was stored. */
  died(now: Snapshot): void;
  /** The largest number of entries that came with one request. */
  readonly mostInOne: number;
  /** Paused or stopped: nothing may be sent. */
  readonly halted: boolean;
}

export function createModelRequests(options: {
  ordering: Ordering;
  maxInFlight: number;
  batch: ConsumerBatch | null;
  blame: (line: string) => void;
}): ModelRequests {
  const { ordering, maxInFlight, blame } = options;
  const open = new Map<Arrival, { records: readonly number[]; reply: Reply }>();
  const contents = new Map<string, string>(); // of each id, the positions that came under it
  let batches = [options.batch]; // two while an edit of it is on its way
  const hurried = new Set<Arrival>(); // open when a retry was asked for, which goes on after them
  let mostInOne = 0;
  let notBefore = 0;
  let windowEnds = Infinity;
  let gone = false;
  let halted = false;

  function arrives(request: Arrival, records: readonly number[], reply: Reply): void {
    const { position } = request;
    checkContents(request);
    const now = Date.now();
    if (halted) blame(`${position} is sent while paused or stopped`);
    if (gone) blame(`${position} is sent after a 410`);
    if (now + 2 < notBefore && now < windowEnds - MINUTE)
      blame(`${position} is sent ${notBefore - now} ms before Retry-After`);
    if (open.size >= maxInFlight) blame(`${open.size + 1} requests are open`);
    const others = new Set([...open.values()].flatMap((one) => one.records));
    for (const record of records)
      if (ordering === 'record' && others.has(record)) blame(`two of record ${record} are open`);
    if (ordering === 'stream' && open.size > 0) blame('two of the stream are open');
    open.set(request, { records, reply });
  }

  function checkContents({ messageId, position, positions, isBatch }: Arrival): void {
    mostInOne = Math.max(mostInOne, positions.length);
    const text = positions.join(' ');
    if ((contents.get(messageId) ?? text) !== text) blame(`${messageId} has other contents`);
    contents.set(messageId, text);
    if (positions.some((one, index) => one <= (positions[index - 1] ?? 0)))
      blame(`${text} are in one batch, but not in order`);
    if (position !== positions.at(-1)) blame(`${text} came as position ${position}`);
    const fits = batches.some((one) =>
      one === null ? !isBatch : isBatch && positions.length <= one.max_entries,
    );
    if (!fits) blame(`${text} came ${isBatch ? 'as a batch' : 'alone'}`);
  }

  function over(request: Arrival, read: boolean): void {
    const reply = open.get(request)?.reply;
    open.delete(request);
    const free = hurried.delete(request);
    if (!read || reply == null) return;
    if (reply.status === 410) gone = true;
    if (reply.retryAfter === undefined || free) return;
    const seconds = Number(reply.retryAfter);
    const at = Number.isNaN(seconds) ? Date.parse(reply.retryAfter) : Date.now() + seconds * 1_000;
    notBefore = Math.max(notBefore, at);
  }

  function applying(command: Command): void {
    const { kind } = command;
    if (command.kind === 'patch' && command.patch.batch !== undefined)
      batches.push(command.patch.batch);
    const frees = kind === 'seek' || kind === 'retry';
    if (frees || (kind === 'resume' && halted)) notBefore = 0;
    if (kind === 'resume') {
      halted = false;
      gone = false;
    }
  }

  function applied(command: Command, answer: CommandAnswer, now: Snapshot): void {
    const { kind } = command;
    if (command.kind === 'patch' && answer.ok) batches = [command.patch.batch ?? null];
    if (kind === 'pause' && answer.ok) halted = true;
    if (kind === 'seek') gone &&= now.status === 'stopped';
    // It clears a failure, also one that came while it waited for the sender to let go.
    if (kind === 'seek' || kind === 'retry') notBefore = 0;
    if (kind !== 'retry') return;
    for (const request of open.keys()) hurried.add(request);
  }

  return {
    arrives,
    over,
    isOpen: (position) => [...open.keys()].some(({ positions }) => positions.includes(position)),
    applying,
    applied,
    stopped: () => {
      halted = true;
    },
    looked: ({ failing_since }) => {
      windowEnds = failing_since === null ? Infinity : Date.parse(failing_since) + WINDOW_MS;
    },
    died: ({ status, next_attempt_at }) => {
      const stored = status === 'blocked' ? Date.parse(next_attempt_at ?? '') || 0 : 0;
      notBefore = Math.min(notBefore, stored);
      gone = false;
    },
    get mostInOne() {
      return mostInOne;
    },
    get halted() {
      return halted;
    },
  };
}
