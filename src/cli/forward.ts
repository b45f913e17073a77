import { Agent, request } from 'undici';

import { createSigner } from '../egress/signing.ts';
import type { Entry } from './follow.ts';

/** The outcome of one webhook; `error` is null when there was an answer. */
export interface Forwarded {
  status: number | null;
  error: string | null;
  durationMs: number;
}

/** Sends entries to one endpoint. */
export interface Forwarder {
  /**
   * Begins to send an entry. Resolves when there is room for the next, immediately while fewer than
   * `concurrency` are in flight. Entries of one record are sent one after another, in the order of calls.
   */
  forward(entry: Entry): Promise<void>;
  /** Resolves when nothing is in flight. */
  settled(): Promise<void>;
  close(): Promise<void>;
}

/** Where and how to send, and what to call. */
export interface ForwarderOptions {
  url: string;
  secret: string;
  userAgent: string;
  concurrency: number;
  onSend: (entry: Entry) => void;
  onDone: (entry: Entry, forwarded: Forwarded) => void;
}

/** The longest timeout that a target can have. */
const ANSWER_MS = 15_000;

/** Signs and POSTs entries as a sender does, but once each; a failure is reported and not repeated. */
export function createForwarder(options: ForwarderOptions): Forwarder {
  const { url, concurrency, onSend, onDone } = options;
  const sign = createSigner([options.secret]);
  const agent = new Agent({ connections: concurrency, allowH2: false });
  const lanes = new Map<string, Promise<void>>();
  const inFlight = new Set<Promise<void>>();

  async function forward(entry: Entry): Promise<void> {
    const record = JSON.stringify([entry.syncId, entry.collectionId, entry.upstreamId]);
    const mine = (lanes.get(record) ?? Promise.resolve()).then(() => send(entry));
    lanes.set(record, mine);
    inFlight.add(mine);
    void mine.then(() => {
      inFlight.delete(mine);
      if (lanes.get(record) === mine) lanes.delete(record);
    });
    if (inFlight.size >= concurrency) await Promise.race(inFlight);
  }

  async function send(entry: Entry): Promise<void> {
    onSend(entry);
    const began = performance.now();
    const took = (): number => Math.round(performance.now() - began);
    try {
      const { statusCode, body } = await request(url, {
        method: 'POST',
        dispatcher: agent,
        signal: AbortSignal.timeout(ANSWER_MS),
        headers: headersOf(entry),
        body: entry.body,
      });
      const durationMs = took();
      await body.dump({ limit: 1024 * 1024 }).catch(() => undefined); // only the status line counts
      onDone(entry, { status: statusCode, error: null, durationMs });
    } catch (error) {
      onDone(entry, { status: null, error: whyFailed(error), durationMs: took() });
    }
  }

  function headersOf({ messageId, position, body }: Entry): Record<string, string> {
    const timestamp = Math.floor(Date.now() / 1_000);
    return {
      'content-type': 'application/json',
      'user-agent': options.userAgent,
      'webhook-id': messageId,
      'webhook-timestamp': String(timestamp),
      'webhook-signature': sign(messageId, timestamp, body),
      'millrace-consumer': 'listen',
      'millrace-position': String(position),
      'millrace-attempt': '1',
    };
  }

  return {
    forward,
    settled: async () => void (await Promise.all(inFlight)),
    close: () => agent.close(),
  };
}

function whyFailed(error: unknown): string {
  const { name, code, message } = error as NodeJS.ErrnoException;
  if (name === 'TimeoutError') return `no answer within ${ANSWER_MS / 1_000} s`;
  return code ?? message;
}
