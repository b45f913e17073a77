import { setTimeout as wait } from 'node:timers/promises';

import { ClientError } from '../api/client.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Context } from './context.ts';
import type { SourceLine } from './importLines.ts';
import type { Rejected } from './importRejects.ts';

/** Consecutive lines that are sent together. */
export interface Part {
  /** Each line of the source, and the entry that it became. */
  entries: { line: SourceLine; text: string }[];
  rejected: Rejected[];
  /** What it holds in memory. */
  bytes: number;
  /** Offset in the source, in bytes, of what comes after it. */
  end: number;
  /** Number of its last line. */
  number: number;
  /** The SHA-256 of everything before `end`. */
  digest: string;
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
  let { entries } = part;
  let since = performance.now();
  for (let tries = 0; entries.length > 0;) {
    try {
      const body = entries.map(({ text }) => text).join('\n');
      const { position: _position, ...counts } = await client.append.lines(stream, body);
      for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
      break;
    } catch (error) {
      if (!(error instanceof ClientError) || signal.aborted) throw error;
      const { line } = error.problem;
      const refused = typeof line === 'number' ? entries[line - 1] : undefined;
      if (error.code === 'invalid_line' && refused !== undefined) {
        // The API counts the lines of the part.
        const reason = error.detail.replace(/^Line \d+:? /u, '');
        rejected.push({ line: refused.line, reason });
        sums['accepted'] = (sums['accepted'] ?? 0) + (line as number) - 1;
        entries = entries.slice(line as number);
        since = performance.now();
        continue;
      }
      const isPassing = error.status === 0 || error.status >= 500 || error.status === 429;
      if (!isPassing || performance.now() - since > PATIENCE_MS) throw error;
      out.progress(`${error.detail}; retrying`);
      await wait(Math.min(MOST_MS, AGAIN_MS * 2 ** tries++), undefined, { signal });
    }
  }
  rejected.sort((a, b) => a.line.number - b.line.number);
  return { sums, rejected };
}
