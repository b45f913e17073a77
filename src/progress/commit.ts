import { plainArray } from '../db/arrayLiteral.ts';
import type { Sql } from '../db/db.ts';
import { HEAD_COLUMNS, headColumns, moveCursors, type Moved } from './cursors.ts';
import { PARKED_CTES } from './parkedRows.ts';
import type { AttemptRow, Committed, SenderOutcomes } from './senderOutcomes.ts';

interface Form extends Moved {
  /** Whether successes came with requests of several entries, which are in the last value. */
  batched: boolean;
}

/**
 * One statement for all outcomes, with the changes of parked entries, the failing heads and the requests of several
 * entries if there are any.
 */
function commitText(form: Form): string {
  const { parked, heads, batched } = form;
  const last = 14 + (parked ? 4 : 0) + (heads ? 1 : 0) + 1;
  return `
  with input as (
    select * from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::text[], $5::text[], $6::text[], $7::text[], $8::text[], $11::int[], $12::bigint[], $13::bigint[], $14::bigint[]${parked ? ', $18::int[]' : ''})
      as i(consumer_id, epoch, position, ahead, positions, started_at, duration_ms, status, entries, low, high, oldest${parked ? ', added' : ''})
  )${heads ? headsCte(parked ? '$19' : '$15') : ''}, moved as (${moveCursors(form)}
  ), batches as (
    insert into attempt_batches (consumer_id, committed_at, positions, started_at, duration_ms, status, entries, low, high, oldest${batched ? ', requests' : ''})
    select i.consumer_id, clock_timestamp(), i.positions::bigint[], i.started_at::bigint[],
           i.duration_ms::int[], i.status::smallint[], i.entries, i.low, i.high, i.oldest${batched ? `, $${last}::jsonb -> i.consumer_id::text` : ''}
      from input i join moved using (consumer_id)
     where i.positions <> '{}'
  ), single as (
    insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at,
                          duration_ms, outcome, status, error_code, response_head, next_attempt_at, trace, batch_size)
    select a.* from jsonb_to_recordset($10::jsonb) as a(
             id uuid, consumer_id uuid, position bigint, message_id text, event_id text, attempt int,
             started_at timestamptz, duration_ms int, outcome text, status int, error_code text,
             response_head text, next_attempt_at timestamptz, trace jsonb, batch_size int)
      join moved using (consumer_id)
  )${parked ? `, ${PARKED_CTES}` : ''}
  select m.consumer_id, k.version, t.version as target_version
    from moved m join consumers k on k.id = m.consumer_id join targets t on t.id = k.target_id`;
}

function headsCte(value: string): string {
  return `, heads as (
    select * from jsonb_to_recordset(${value}::jsonb) as h(consumer_id uuid, ${HEAD_COLUMNS})
  )`;
}

/** The forms of the statement, by name: a name stands for one text. */
const FORMS = new Map<string, string>();
for (const parked of [false, true]) {
  for (const heads of [false, true]) {
    for (const batched of [false, true]) {
      FORMS.set(nameOf({ parked, heads, batched }), commitText({ parked, heads, batched }));
    }
  }
}

function nameOf({ parked, heads, batched }: Form): string {
  const what = [parked && 'parked', heads && 'heads', batched && 'batches'].filter(Boolean);
  return what.length === 0 ? 'commit' : `commit with ${what.join(' and ')}`;
}

/** Stores the outcomes of several senders and renews their leases; the answer lacks fenced consumers. */
export async function commit(
  sql: Sql,
  outcomes: SenderOutcomes[],
  leaseMs: number,
): Promise<Map<string, Committed>> {
  const attempts = outcomes.flatMap((one) =>
    one.attempts.map((attempt) => toRow(one.consumerId, attempt)),
  );
  const parked = outcomes.some((one) => one.parked !== null);
  const heads = outcomes.some((one) => one.head !== undefined);
  const batched = outcomes.some((one) => one.batch.requests !== undefined);
  const name = nameOf({ parked, heads, batched });
  const { rows } = await sql.query<{
    consumer_id: string;
    version: number;
    target_version: number;
  }>({
    name,
    text: FORMS.get(name) as string,
    values: [
      plainArray(outcomes.map((one) => one.consumerId)),
      plainArray(outcomes.map((one) => one.epoch)),
      plainArray(outcomes.map((one) => one.position)),
      arrays(outcomes, (one) => one.ahead),
      arrays(outcomes, (one) => one.batch.positions),
      arrays(outcomes, (one) => one.batch.startedAt),
      arrays(outcomes, (one) => one.batch.durationMs),
      arrays(outcomes, (one) => one.batch.status),
      leaseMs,
      JSON.stringify(attempts),
      plainArray(outcomes.map((one) => one.batch.positions.length)),
      plainArray(outcomes.map((one) => least(one.batch.positions) ?? 'null')),
      plainArray(outcomes.map((one) => greatest(one.batch.positions) ?? 'null')),
      plainArray(outcomes.map((one) => least(one.batch.startedAt) ?? 'null')),
      ...(parked ? parkedValues(outcomes) : []),
      ...(heads ? [headValues(outcomes)] : []),
      ...(batched ? [requestValues(outcomes)] : []),
    ],
  });
  return new Map(
    rows.map((row) => [
      row.consumer_id,
      { version: row.version, targetVersion: row.target_version },
    ]),
  );
}

/** An array of texts, each of which is itself an array literal of numbers. */
function arrays(outcomes: SenderOutcomes[], of: (one: SenderOutcomes) => number[]): string {
  return `{${outcomes.map((one) => `"${plainArray(of(one))}"`).join(',')}}`;
}

function headValues(outcomes: SenderOutcomes[]): string {
  return JSON.stringify(
    outcomes.flatMap(({ consumerId, head }) =>
      head === undefined ? [] : [{ consumer_id: consumerId, ...headColumns(head) }],
    ),
  );
}

/** The requests of several entries, by consumer, as `attempt_batches` stores them. */
function requestValues(outcomes: SenderOutcomes[]): string {
  const byConsumer = outcomes.map(({ consumerId, batch: { requests } }) => [
    consumerId,
    requests?.map(({ from, count, size, id }) => [from, count, size, id]),
  ]);
  return JSON.stringify(Object.fromEntries(byConsumer)); // without those that have none
}

function parkedValues(outcomes: SenderOutcomes[]): unknown[] {
  const all = (of: 'inserts' | 'updates' | 'deletes'): string =>
    JSON.stringify(
      outcomes.flatMap(({ consumerId, parked }) =>
        (parked?.[of] ?? []).map((row) => ({ consumer_id: consumerId, ...row })),
      ),
    );
  const added = outcomes.map(({ parked }) => parked?.added ?? 0);
  return [all('inserts'), all('updates'), all('deletes'), added];
}

/** The smallest number. `Math.min` would not do: a batch may hold more numbers than a call takes arguments. */
function least(numbers: number[]): number | null {
  return numbers.length === 0 ? null : numbers.reduce((low, one) => (one < low ? one : low));
}

function greatest(numbers: number[]): number | null {
  return numbers.length === 0 ? null : numbers.reduce((high, one) => (one > high ? one : high));
}

function toRow(consumerId: string, attempt: AttemptRow): Record<string, unknown> {
  return {
    id: crypto.randomUUID(),
    consumer_id: consumerId,
    position: attempt.position,
    message_id: attempt.messageId,
    event_id: attempt.eventId,
    attempt: attempt.attempt,
    started_at: new Date(attempt.startedAt).toISOString(),
    duration_ms: attempt.durationMs,
    outcome: attempt.outcome,
    status: attempt.status,
    error_code: attempt.errorCode,
    response_head: attempt.responseHead,
    next_attempt_at:
      attempt.nextAttemptAt === null ? null : new Date(attempt.nextAttemptAt).toISOString(),
    trace: attempt.trace,
    batch_size: attempt.batchSize ?? null,
  };
}
