import type { IncomingMessage, ServerResponse } from 'node:http';

import { clockMs } from './instruments/clock.ts';

/** How many requests are open without an answer: now, on average and at least since the last reset. */
export interface Hanging {
  open: number;
  average: number;
  least: number;
}

/** Paths `/_hang/<count>/<name>`: each answers the first `count` requests and none after them. */
export interface HangingPaths {
  /** Handles a request. */
  take(request: IncomingMessage, response: ServerResponse): void;
  /** Starts counting again; open requests stay open. */
  reset(): void;
  read(): Hanging;
}

/** Creates the paths. Requests that they do not answer stay open until the sender gives up. */
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
    if (before < Number(path.split('/')[2])) {
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
