import { ClientError } from '../api/client.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Context } from './context.ts';
import type { SourceLine } from './importLines.ts';
import type { Rejected } from './importRejects.ts';
import { patiently } from './patience.ts';

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

/**
 * Sends a part; resolves when it is on the server's disk, with the counts of the API and the rejected
 * lines. It waits up to a minute for an API that is away, as sending a part again has no effect. A line
 * that only the API refuses joins the rejected ones, and the rest of the part is sent after it.
 */
export async function sendPart(
  context: Pick<Context, 'client' | 'out' | 'signal'>,
  stream: StreamName,
  part: Part,
): Promise<{ sums: Record<string, number>; rejected: Rejected[] }> {
  const { client, signal } = context;
  const sums: Record<string, number> = {};
  const rejected = [...part.rejected];
  let { entries } = part;
  while (entries.length > 0) {
    const body = entries.map(({ text }) => text).join('\n');
    try {
      const appended = await patiently(context, () => client.append.lines(stream, body));
      const { position: _position, ...counts } = appended;
      for (const [name, count] of Object.entries(counts)) sums[name] = (sums[name] ?? 0) + count;
      break;
    } catch (error) {
      if (!(error instanceof ClientError) || signal.aborted) throw error;
      const { line } = error.problem; // the API counts the lines of the part
      const refused = typeof line === 'number' ? entries[line - 1] : undefined;
      if (error.code !== 'invalid_line' || refused === undefined) throw error;
      rejected.push({ line: refused.line, reason: reasonOf(error) });
      sums['accepted'] = (sums['accepted'] ?? 0) + (line as number) - 1;
      entries = entries.slice(line as number);
    }
  }
  rejected.sort((a, b) => a.line.number - b.line.number);
  return { sums, rejected };
}

/** Why the API refuses a line, without the number that the line had in the request. */
export function reasonOf({ detail }: ClientError): string {
  return detail.replace(/^Line \d+:? /u, '');
}
