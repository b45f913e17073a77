import type { CommandAnswer } from '../rules/command.ts';
import type { Filter } from '../schema/consumer.ts';
import { countParkedChange } from './consumerRows.ts';
import { release, write, type Tx } from './lockedConsumer.ts';

/** The consumer's own clock in SQL, for a row `k` of consumers; $2 is the moment. */
const CLOCK = `k.active_ms + coalesce(greatest(0, extract(epoch from $2 - k.active_since) * 1000), 0)::bigint`;

/** Parked entries are due now; false when none is parked. */
export async function hurryParked(tx: Tx): Promise<boolean> {
  const { rows } = await tx.sql.query({
    text: `update parked set due_ms = -1 where consumer_id = $1 and due_ms is not null returning position`,
    values: [tx.consumerId],
  });
  if (rows.length > 0) await countParkedChange(tx.sql, tx.consumerId);
  return rows.length > 0;
}

/** Parked entries that do not pass the newest filter any more are closed. */
export async function closeUnmatched(tx: Tx, filter: Filter): Promise<void> {
  await close(
    tx,
    `not ($2::text[] @> '{*}' or sync_id = any($2))
     or not ($3::text[] @> '{*}' or collection_id = any($3))
     or not ($4::text[] @> '{*}' or event is null or event = any($4))`,
    [filter.syncs, filter.collections, filter.event_types],
  );
}

/** A seek sends again what is above its target: parked copies of that are closed. */
export async function closeAbove(tx: Tx, position: number): Promise<void> {
  await close(tx, 'position > $2', [position]);
}

async function close(tx: Tx, condition: string, values: unknown[]): Promise<void> {
  const { rows } = await tx.sql.query({
    text: `delete from parked where consumer_id = $1 and (${condition}) returning position`,
    values: [tx.consumerId, ...values],
  });
  if (rows.length === 0) return;
  // Whoever was behind one that is gone may be the first of its record now.
  await tx.sql.query({
    text: `
      update parked p set due_ms = -1
       where consumer_id = $1 and due_ms is null
         and not exists (select from parked q
                          where q.consumer_id = p.consumer_id and q.sync_id = p.sync_id
                            and q.collection_id = p.collection_id and q.upstream_id = p.upstream_id
                            and q.position < p.position)`,
    values: [tx.consumerId],
  });
  await countParkedChange(tx.sql, tx.consumerId);
}

/** Dead letters go back to the parked entries, due now, with a new window; null: all of them. */
export async function replay(tx: Tx, ids: string[] | null): Promise<CommandAnswer> {
  const { rows } = await tx.sql.query<{ id: string }>({
    text: `
      with back as (
        delete from dead_letters
         where consumer_id = $1 and ($3::uuid[] is null or id = any($3))
        returning *
      ), parked as (
        insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id,
                            event, body, attempts, tries, parked_at, parked_ms, due_ms, last_failure)
        select b.consumer_id, b.position, b.message_id, b.sync_id, b.collection_id, b.upstream_id,
               b.event, b.body, b.attempts, 0, $2, ${CLOCK}, -1, b.last_failure
          from back b join consumers k on k.id = b.consumer_id
            on conflict (consumer_id, position) do nothing
      )
      select id from back`,
    values: [tx.consumerId, tx.at, ids],
  });
  const found = new Set(rows.map((row) => row.id));
  const missing = ids?.find((id) => !found.has(id.toLowerCase()));
  if (missing !== undefined) {
    const detail = `Consumer ${tx.consumerId} has no dead letter ${missing}.`;
    throw new Refused({ ok: false, status: 404, code: 'not_found', detail });
  }
  return sendParked(tx, 'replayed', rows.length);
}

/** An entry that was settled is sent once more, as it stands in the stream. */
export async function resend(tx: Tx, position: number): Promise<CommandAnswer> {
  const { row, consumerId } = tx;
  const stands = await release(tx);
  if (position > stands && !row.ahead.includes(position)) {
    return refuse(409, 'not_sent_yet', `Position ${position} has not been sent yet.`);
  }
  const entry = await tx.pages.entryAt(row.stream, position);
  if (entry === null) {
    const why = row.stream === 'records' ? 'superseded or gone' : 'gone';
    const detail = `The ${row.stream} stream holds no entry at position ${position}: it is ${why}.`;
    return refuse(404, 'not_found', detail);
  }
  const { rows } = await tx.sql.query({
    text: `
      insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id,
                          event, body, attempts, tries, parked_at, parked_ms, due_ms, last_failure)
      select k.id, $3, $4, $5, $6, $7, $8, $9,
             greatest(1, (select max(attempt) from attempts a
                           where a.consumer_id = k.id and a.position = $3)),
             0, $2, ${CLOCK}, -1, null
        from consumers k where k.id = $1
          on conflict (consumer_id, position) do nothing
      returning position`,
    values: [
      consumerId,
      tx.at,
      position,
      entry.messageId,
      entry.syncId,
      entry.collectionId,
      entry.upstreamId,
      entry.event,
      entry.body,
    ],
  });
  if (rows.length === 0) {
    return refuse(409, 'parked', `Position ${position} is parked: it is tried again by itself.`);
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

function refuse(status: 404 | 409, code: string, detail: string): CommandAnswer {
  return { ok: false, status, code, detail };
}

/** Takes the transaction back and answers so. */
export class Refused extends Error {
  readonly answer: CommandAnswer;

  constructor(answer: CommandAnswer) {
    super(answer.ok ? '' : answer.detail);
    this.answer = answer;
  }
}
