import type { IncomingMessage, ServerResponse } from 'node:http';

import { clockMs } from './instruments/clock.ts';

/** Open requests that get no answer; average and least since the last reset. */
export interface Hanging {
  open: number;
  average: number;
  least: number;
}

export interface HangingPaths {
  take(request: IncomingMessage, response: ServerResponse): void;
  /** Starts counting anew; what is open stays open. */
  reset(): void;
  read(): Hanging;
}

/** So many that a sender, which starts slowly, has as many in flight as it may before it is hung. */
const ANSWERED = 100;

/** Answers the first requests of each path and none after them, until the sender gives up. */
export function createHangingPaths(): HangingPaths {
  const taken = new Map<string, number>();
  let open = 0;
  let least = 0;
  let sum = 0; // open requests × ms
  let from = clockMs();
  let changedAt = from;

  function change(by: number): void {
    const now = clockMs();
    sum += open * (now - changedAt);
    changedAt = now;
    open += by;
    least = Math.min(least, open);
  }

  function take(request: IncomingMessage, response: ServerResponse): void {
    const path = request.url ?? '';
    const before = taken.get(path) ?? 0;
    taken.set(path, before + 1);
    request.resume();
    if (before < ANSWERED) {
      request.on('end', () => void response.writeHead(204).end());
      return;
    }
    change(1);
    response.on('close', () => change(-1));
  }

  function read(): Hanging {
    change(0);
    return { open, average: changedAt > from ? sum / (changedAt - from) : open, least };
  }

  function reset(): void {
    from = clockMs();
    changedAt = from;
    sum = 0;
    least = open;
  }

  return { take, reset, read };
}
