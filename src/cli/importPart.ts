import { setTimeout as wait } from 'node:timers/promises';

import { ClientError } from '../api/client.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Context } from './context.ts';

/** A line that was rejected, as the list of rejected lines has it. */
export interface Rejected {
  line: number;
  reason: string;
  text: string;
}

/** Consecutive lines that are sent together. */
export interface Part {
  lines: { number: number; text: string }[];
  rejected: Rejected[];
  bytes: number;
  /** Offset in the source, in bytes, of what comes after it. */
  end: number;
  /** Number of its last line. */
  number: number;
}

/** If the API is away longer, the import ends; `--resume` continues it. */
const PATIENCE_MS = 60_000;
const AGAIN_MS = 250;
const MOST_MS = 5_000;

/**
 * Sends a part; resolves when it is on the server's disk, with the counts of the API and the rejected
 * lines. It waits up to a minute for an API that is away, as sending a part again has no effect. A line
 * that only the API refuses joins the rejected ones, and the rest of the part is sent after it.
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
