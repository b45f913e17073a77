import type { CommandAnswer, Command } from '../../src/rules/command.ts';
import type { Ordering } from '../../src/schema/consumer.ts';
import type { Snapshot } from './modelSnapshot.ts';
import { WINDOW_MS } from './process.ts';
import type { Arrival, Reply } from './wire.ts';

const MINUTE = 60_000;

/** When a request may be sent, and how many beside it. */
export interface ModelRequests {
  arrives(request: Arrival, record: number, reply: Reply): void;
  over(request: Arrival, read: boolean): void;
  /** Whether a request of this position is open. */
  isOpen(position: number): boolean;
  applying(command: Command): void;
  applied(command: Command, answer: CommandAnswer, now: Snapshot): void;
  stopped(): void;
  /** Learns from Postgres when the retry window ends. */
  looked(now: Snapshot): void;
  /** The sender died: its successor knows only what was stored. */
  died(now: Snapshot): void;
  /** Paused or stopped: nothing may be sent. */
  readonly halted: boolean;
}

export function createModelRequests(options: {
  ordering: Ordering;
  maxInFlight: number;
  blame: (line: string) => void;
}): ModelRequests {
  const { ordering, maxInFlight, blame } = options;
  const open = new Map<Arrival, { record: number; reply: Reply }>();
  const hurried = new Set<Arrival>(); // open when a retry was asked for, which goes on after them
  let notBefore = 0;
  let windowEnds = Infinity;
  let gone = false;
  let halted = false;

  function arrives(request: Arrival, record: number, reply: Reply): void {
    const { position } = request;
    const now = Date.now();
    if (halted) blame(`${position} is sent while paused or stopped`);
    if (gone) blame(`${position} is sent after a 410`);
    if (now + 2 < notBefore && now < windowEnds - MINUTE)
      blame(`${position} is sent ${notBefore - now} ms before Retry-After`);
    if (open.size >= maxInFlight) blame(`${open.size + 1} requests are open`);
    const records = [...open.values()].map((one) => one.record);
    if (ordering === 'record' && records.includes(record))
      blame(`two of record ${record} are open`);
    if (ordering === 'stream' && open.size > 0) blame('two of the stream are open');
    open.set(request, { record, reply });
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

  function applying({ kind }: Command): void {
    const frees = kind === 'seek' || kind === 'retry';
    if (frees || (kind === 'resume' && halted)) notBefore = 0;
    if (kind === 'resume') {
      halted = false;
      gone = false;
    }
  }

  function applied({ kind }: Command, answer: CommandAnswer, now: Snapshot): void {
    if (kind === 'pause' && answer.ok) halted = true;
    if (kind === 'seek') gone &&= now.status === 'stopped';
    if (kind !== 'retry') return;
    notBefore = 0;
    for (const request of open.keys()) hurried.add(request);
  }

  return {
    arrives,
    over,
    isOpen: (position) => [...open.keys()].some((request) => request.position === position),
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
    get halted() {
      return halted;
    },
  };
}
