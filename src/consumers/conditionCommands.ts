import { setImmediate } from 'node:timers/promises';

import { dropPositions, parkedTexts } from '../progress/parkedRows.ts';
import { CelError } from '../rules/cel.ts';
import type { CommandAnswer } from '../rules/command.ts';
import { compileWhere, isCompilable, isSatisfied } from '../rules/where.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Tx } from './lockedConsumer.ts';

/** How much text of parked entries is read at a time, and how long they are looked at in one command. */
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

/**
 * Closes the parked entries that do not satisfy a condition; false when there are none. What there is no time for is
 * closed by the sender, before it tries the entry.
 */
export async function dropUnsatisfying(
  tx: Pick<Tx, 'sql' | 'consumerId' | 'row'>,
  text: string,
): Promise<boolean> {
  const { sql, consumerId, row } = tx;
  // One that was stored by another version and can't be compiled keeps the consumer from sending; that says what to do.
  if (!isCompilable(text, row.stream)) return false;
  const where = compileWhere(text, row.stream);
  const until = performance.now() + BUDGET_MS;
  const unsatisfying: number[] = [];
  let turnEnds = performance.now() + TURN_MS;
  for (let after = -1; performance.now() < until;) {
    const texts = await parkedTexts(sql, consumerId, { after, maxBytes: BYTES });
    if (texts.length === 0) break;
    for (const { position, body } of texts) {
      after = position;
      if (!isSatisfied(where, body, row.stream)) unsatisfying.push(position);
      if (performance.now() < turnEnds) continue;
      await setImmediate();
      turnEnds = performance.now() + TURN_MS;
    }
  }
  return unsatisfying.length > 0 && dropPositions(sql, consumerId, unsatisfying);
}
