import { setTimeout as wait } from 'node:timers/promises';

import { ClientError } from '../api/client.ts';
import type { Consumer } from '../schema/consumer.ts';
import { consumerFields, waitingOf, windowOf } from './consumerView.ts';
import type { Context } from './context.ts';
import { EXIT } from './exit.ts';

const EACH_MS = 1_000;

/**
 * Shows a consumer's status until Ctrl-C: redrawn in place on a terminal, otherwise a line for each
 * change; with `--json` the consumer as JSON. It waits for an API that is away.
 */
export async function watchConsumer(context: Context, id: string): Promise<number> {
  const { client, out, signal } = context;
  let retryWindow: string | undefined;
  let before = '';
  let drawn = 0;
  for (;;) {
    try {
      const one = await client.consumers.get(id);
      retryWindow ??= await windowOf(client, one);
      const now = whatMatters(one);
      if (out.isTerminal && !out.isJson)
        drawn = draw(out.details(consumerFields(one, retryWindow)), drawn);
      else if (now !== before && out.isJson) out.jsonLine(one);
      else if (now !== before) out.line(summary(one));
      before = now;
    } catch (error) {
      if (signal.aborted) return EXIT.interrupted;
      if (!(error instanceof ClientError) || (error.status !== 0 && error.status < 500))
        throw error;
      out.progress(`${error.detail}; retrying`);
    }
    await wait(EACH_MS, undefined, { signal }).catch(() => undefined); // Ctrl-C
    if (signal.aborted) return EXIT.interrupted;
  }
}

/**
 * Everything except what changes by itself: the age of the oldest entry, the time of `health`, and the end of a
 * lease, which is renewed again and again.
 */
export function whatMatters({ lag, health, sender, ...rest }: Consumer): string {
  const { status, notes } = health;
  const { activity, process, lane } = sender ?? {};
  const by = { activity, process, lane };
  return JSON.stringify({ ...rest, by, entries: lag.entries, status_of_health: status, notes });
}

/** Draws over what was drawn before; what does not fit into the height of the terminal is left out. */
function draw(all: string[], before: number): number {
  const { rows } = process.stdout;
  const lines = rows > 0 ? all.slice(0, Math.max(1, rows - 1)) : all;
  const up = before === 0 ? '' : `\u001B[${before}A`;
  process.stdout.write(`${up}${lines.map((line) => `\u001B[2K${line}\n`).join('')}\u001B[J`);
  return lines.length;
}

function summary(one: Consumer): string {
  const why = one.status_reason === null ? '' : `  ${one.status_reason}`;
  return `${new Date().toISOString()}  ${one.status}  position ${one.position}  waiting ${waitingOf(one.lag)}  parked ${one.parked}  sender ${one.sender?.activity ?? 'none'}${why}`;
}
