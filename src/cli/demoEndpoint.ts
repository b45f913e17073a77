import { fork } from 'node:child_process';
import { once } from 'node:events';
import { fileURLToPath } from 'node:url';

import type { Arrival, FromReceiver, Progress, Report, ToReceiver } from './demoReceiver.ts';

/** The process of the receiver, seen from the demo. */
export interface Endpoint extends AsyncDisposable {
  /** The base URL; events go to `/events`, records to `/records`. */
  url: string;
  /** Webhooks signed with this secret are accepted once it resolves. */
  trust(secret: string): Promise<void>;
  /** Tells the receiver which step the demo is at. */
  step(step: number): void;
  /** Resolves when the steps up to `step` have arrived; rejects when nothing comes for `stallMs`. */
  complete(step: number, stallMs: number): Promise<Progress>;
  /** Returns everything that the receiver has found so far. */
  report(): Promise<Report>;
}

/** Called with what the receiver reports on its own. */
export interface EndpointListeners {
  arrival: (arrival: Arrival) => void;
  progress: (progress: Progress) => void;
}

/** Nothing has come for so long that the rest will not come. */
export class Stalled extends Error {
  override name = 'Stalled';
}

/** Starts the receiver in a process group of its own, so that a Ctrl-C does not end it before the demo. */
export async function startEndpoint(listeners: EndpointListeners): Promise<Endpoint> {
  const file = fileURLToPath(new URL('./demoReceiver.ts', import.meta.url));
  const child = fork(file, { detached: true, execArgv: [], env: {} });
  const waiting = new Set<(message: FromReceiver) => void>();
  let lost: Error | null = null;
  const gone = once(child, 'exit').then(([code, signal]) => {
    lost = new Error(`The receiver's process ended (${String(signal ?? code)})`);
  });
  child.on('message', (message: FromReceiver) => {
    if (message.kind === 'received') listeners.arrival(message.arrival);
    if (message.kind === 'progress') listeners.progress(message.progress);
    for (const receiveOne of waiting) receiveOne(message);
  });

  /** Resolves with the first message for which `pick` returns something. */
  async function next<T>(pick: (message: FromReceiver) => T | null): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    const receiveOne = (message: FromReceiver): void => {
      const picked = pick(message);
      if (picked !== null) resolve(picked);
    };
    waiting.add(receiveOne);
    const ended = gone.then(() => Promise.reject(lost as unknown as Error));
    try {
      return await Promise.race([promise, ended]);
    } finally {
      waiting.delete(receiveOne);
    }
  }

  function tell(message: ToReceiver): void {
    if (lost !== null) throw lost;
    child.send(message);
  }

  async function trust(secret: string): Promise<void> {
    const trusting = next((message) => message.kind === 'trusting' || null);
    tell({ kind: 'trust', secret });
    await trusting;
  }

  async function complete(step: number, stallMs: number): Promise<Progress> {
    let [delivered, movedAt] = [-1, performance.now()];
    return next((message) => {
      if (message.kind !== 'progress' || message.progress.step !== step) return null;
      const { progress } = message;
      if (progress.delivered !== delivered) {
        [delivered, movedAt] = [progress.delivered, performance.now()];
      }
      if (progress.remaining === 0) return { progress };
      return performance.now() - movedAt > stallMs ? { progress } : null;
    }).then(({ progress }) => {
      if (progress.remaining === 0) return progress;
      throw new Stalled(
        `Nothing arrived for ${stallMs / 1_000} s, and ${progress.remaining} deliveries are missing`,
      );
    });
  }

  async function report(): Promise<Report> {
    const answer = next((message) => (message.kind === 'report' ? message.report : null));
    tell({ kind: 'report' });
    return answer;
  }

  const url = await next((message) => (message.kind === 'listening' ? message.url : null));
  return {
    url,
    trust,
    step: (step) => tell({ kind: 'step', step }),
    complete,
    report,
    [Symbol.asyncDispose]: async () => {
      if (child.connected) child.disconnect(); // which makes it end
      await gone;
    },
  };
}
