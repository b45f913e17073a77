import { setImmediate } from 'node:timers/promises';

import type { Sql } from '../db/db.ts';
import { parkedTexts } from '../progress/parkedRows.ts';
import { CelError } from '../rules/cel.ts';
import type { CommandAnswer } from '../rules/command.ts';
import { compileWhere, isCompilable, isSatisfied } from '../rules/where.ts';
import type { StreamName } from '../schema/stream.ts';

/** How much text of parked entries is read at a time, and how long they are looked at for one command. */
const BYTES = 4 * 1024 * 1024;
const BUDGET_MS = 10_000;
/** After so long other work gets a turn. */
const TURN_MS = 20;

/** The answer to a command with a condition that is none, as a signal may bring it; null: it is one. */
export function refuseCondition(
  where: string | null | undefined,
  stream: StreamName,
): CommandAnswer | null {
  if (where === undefined || where === null) return null;
  try {
    compileWhere(where, stream);
    return null;
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const detail = `where, line ${error.line}, column ${error.column}: ${error.detail}`;
    return { ok: false, status: 422, code: 'invalid_request', detail };
  }
}

/** The parked entries that do not satisfy the condition of a consumer's filter. */
export interface Unsatisfying {
  where: string;
  positions: number[];
}

/**
 * Finds the parked entries that do not satisfy the newest condition, without a lock, as that may take long and commits
 * of all senders wait for a locked consumer; null: there is no condition. What there is no time for is closed by the
 * sender, before it tries the entry.
 */
export async function findUnsatisfying(sql: Sql, consumerId: string): Promise<Unsatisfying | null> {
  const { rows } = await sql.query<{ stream: StreamName; where: string | null }>({
    text: `
      select k.stream, f.condition as "where"
        from consumers k
        join filter_versions f on f.consumer_id = k.id and f.version = k.filter_version
       where k.id = $1`,
    values: [consumerId],
  });
  const { stream, where: text } = rows[0] ?? { stream: 'events', where: null };
  // One that was stored by another version and can't be compiled keeps the consumer from sending; that says what to do.
  if (text === null || !isCompilable(text, stream)) return null;
  const where = compileWhere(text, stream);
  const until = performance.now() + BUDGET_MS;
  const positions: number[] = [];
  let turnEnds = performance.now() + TURN_MS;
  for (let after = -1; performance.now() < until;) {
    const texts = await parkedTexts(sql, consumerId, { after, maxBytes: BYTES });
    if (texts.length === 0) break;
    for (const { position, body } of texts) {
      after = position;
      if (!isSatisfied(where, body, stream)) positions.push(position);
      if (performance.now() < turnEnds) continue;
      if (performance.now() > until) break;
      await setImmediate();
      turnEnds = performance.now() + TURN_MS;
    }
  }
  return { where: text, positions };
}
