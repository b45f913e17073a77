import {
  dropAbove,
  dropPositions,
  dropUnmatched,
  makeParkedDue,
  parkDeadLetters,
  parkEntry,
} from '../progress/parkedRows.ts';
import type { CommandAnswer } from '../rules/command.ts';
import { whereOf } from '../rules/filter.ts';
import type { Filter } from '../schema/consumer.ts';
import type { ProblemCode } from '../schema/problem.ts';
import type { Unsatisfying } from './conditionCommands.ts';
import { countParkedChange } from './consumerRows.ts';
import { release, write, type Tx } from './lockedConsumer.ts';

/** Makes the parked entries that wait for their time due immediately; false when there are none. */
export async function hurryParked(tx: Tx): Promise<boolean> {
  return notified(tx, await makeParkedDue(tx.sql, tx.consumerId));
}

/** Makes the parked entries due immediately of which no body could be made, because bodies are made in another way now. */
export async function hurryUnmade(tx: Tx): Promise<void> {
  const changed = await makeParkedDue(tx.sql, tx.consumerId, 'BODY_FAILED');
  if (await notified(tx, changed)) await release(tx);
}

/**
 * Closes the parked entries that no longer pass the lists of the newest filter, and those of which it is known that they
 * do not satisfy its condition.
 */
export async function closeUnmatched(
  { sql, consumerId }: Pick<Tx, 'sql' | 'consumerId'>,
  filter: Filter,
  unsatisfying: Unsatisfying | null = null,
): Promise<void> {
  const unlisted = await dropUnmatched(sql, consumerId, filter);
  const isKnown = unsatisfying !== null && unsatisfying.where === whereOf(filter);
  const positions = isKnown ? unsatisfying.positions : [];
  const dropped = positions.length > 0 && (await dropPositions(sql, consumerId, positions));
  await notified({ sql, consumerId }, unlisted || dropped);
}

/** Closes the parked entries above the new position, because a seek sends those again. */
export async function closeAbove(tx: Tx, position: number): Promise<void> {
  await notified(tx, await dropAbove(tx.sql, tx.consumerId, position));
}

/** Makes a running sender read its parked entries again if `changed`, and returns `changed`. */
async function notified(
  { sql, consumerId }: Pick<Tx, 'sql' | 'consumerId'>,
  changed: boolean,
): Promise<boolean> {
  if (changed) await countParkedChange(sql, consumerId);
  return changed;
}

/** Puts dead letters back among the parked entries, due immediately, with a new window; null: all of them. */
export async function replay(tx: Tx, ids: string[] | null): Promise<CommandAnswer> {
  const { sql, consumerId, at } = tx;
  const back = await parkDeadLetters(sql, consumerId, { ids, at });
  const found = new Set(back);
  const missing = ids?.find((id) => !found.has(id.toLowerCase()));
  if (missing !== undefined) {
    const detail = `Consumer ${consumerId} has no dead letter ${missing}.`;
    throw new Refused({ ok: false, status: 404, code: 'not_found', detail });
  }
  return sendParked(tx, 'replayed', back.length);
}

/** Sends a settled entry once more, as it is in the stream now. */
export async function resend(tx: Tx, position: number): Promise<CommandAnswer> {
  const { row, consumerId } = tx;
  const stands = await release(tx);
  if (position > stands && !row.ahead.includes(position)) {
    return refuse(409, 'not_sent_yet', `Position ${position} has not been sent yet.`);
  }
  const entry = await tx.pages.entryAt(row.stream, position);
  if (entry === null) {
    const why = row.stream === 'records' ? 'superseded or dropped' : 'dropped';
    const detail = `The ${row.stream} stream has no entry at position ${position}: it was ${why}.`;
    return refuse(404, 'not_found', detail);
  }
  if (!(await parkEntry(tx.sql, consumerId, { entry, at: tx.at }))) {
    return refuse(409, 'parked', `Position ${position} is parked: it is retried automatically.`);
  }
  return sendParked(tx, 'resent', 1, { position });
}

async function sendParked(
  tx: Tx,
  action: string,
  count: number,
  detail: Record<string, unknown> = {},
): Promise<CommandAnswer> {
  await release(tx);
  await countParkedChange(tx.sql, tx.consumerId);
  const written = await write(tx, action, {}, { count, ...detail });
  return written.ok ? { ...written, count } : written;
}

function refuse(status: 404 | 409, code: ProblemCode, detail: string): CommandAnswer {
  return { ok: false, status, code, detail };
}

/** Thrown to roll back a command's transaction; `answer` is the answer to the command. */
export class Refused extends Error {
  readonly answer: CommandAnswer;

  constructor(answer: CommandAnswer) {
    super(answer.ok ? '' : answer.detail);
    this.answer = answer;
  }
}
