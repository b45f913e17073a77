import { setTimeout as wait } from 'node:timers/promises';

import { ClientError } from '../api/client.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Context } from './context.ts';

/** A line that is no entry, as the list of them has it. */
export interface Rejected {
  line: number;
  reason: string;
  text: string;
}

export interface Part {
  lines: { number: number; text: string }[];
  rejected: Rejected[];
  bytes: number;
  /** Where the source goes on after it. */
  end: number;
  number: number;
}

/** Longer, and the import ends; `--resume` goes on. */
const PATIENCE_MS = 60_000;
const AGAIN_MS = 250;
const MOST_MS = 5_000;

/**
 * Sends a part and resolves when it is on disk: what became of it, and its rejected lines. An API
 * that is away for up to a minute is waited for: sending a part again changes nothing. A line that
 * only the API refuses joins the rejected ones, and the part goes on after it.
 */
export async function sendPart(
  { client, out, signal }: Pick<Context, 'client' | 'out' | 'signal'>,
  stream: StreamName,
  part: Part,
): Promise<{ sums: Record<string, number>; rejected: Rejected[] }> {
  const sums: Record<string, number> = {};
  const rejected = [...part.rejected];
  let { lines } = part;
  let since = performance.now();
  for (let tries = 0; lines.length > 0;) {
    try {
      const body = lines.map(({ text }) => text).join('\n');
      const { position: _position, ...counts } = await client.append.lines(stream, body);
      for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
      break;
    } catch (error) {
      if (!(error instanceof ClientError) || signal.aborted) throw error;
      const { line } = error.problem;
      const refused = typeof line === 'number' ? lines[line - 1] : undefined;
      if (error.code === 'invalid_line' && refused !== undefined) {
        rejected.push({ line: refused.number, reason: error.detail, text: refused.text });
        sums['accepted'] = (sums['accepted'] ?? 0) + (line as number) - 1;
        lines = lines.slice(line as number);
        since = performance.now();
        continue;
      }
      const isPassing = error.status === 0 || error.status >= 500 || error.status === 429;
      if (!isPassing || performance.now() - since > PATIENCE_MS) throw error;
      out.progress(`${error.detail}; trying again`);
      await wait(Math.min(MOST_MS, AGAIN_MS * 2 ** tries++), undefined, { signal });
    }
  }
  rejected.sort((a, b) => a.line - b.line);
  return { sums, rejected };
}
