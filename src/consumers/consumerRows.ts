import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { createCursor, PLAN_NOTHING, RECOVER } from '../progress/cursors.ts';
import { createFilter } from '../progress/filterRows.ts';
import type { ConsumerInput } from '../schema/consumer.ts';
import { creationNoted } from './changes.ts';

/** A new consumer, whose start has been resolved to a position. */
export interface NewConsumer {
  id: string;
  input: ConsumerInput;
  region: string;
  /** The position at which it starts. */
  position: number;
  actor: string;
}

/**
 * Creates a consumer with its first filter, its cursor and its row in `changes`, and notifies the
 * workers. Without effect when a repetition of the request has just created it.
 */
export async function insertConsumer(sql: Sql, created: NewConsumer): Promise<void> {
  const { id, input, region, position, actor } = created;
  const first = { from: '$10', syncs: '$11', collections: '$12', types: '$13' };
  await sql.query({
    text: `
      with consumer as (
        insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata,
                               region, status, filter_version, version, created_at, updated_at)
        values ($1, $2, $3, $4, $5, $6, $7, $8, $9, 'active', 1, 1, now(), now())
            on conflict (id) do nothing
        returning id
      ), filter as (${createFilter(first)}
      ), cursor as (
        ${createCursor({ position: '$10', idle: '$14' })}
      ), change as (${creationNoted({ id: '$15', actor: '$16', detail: '$17' })}
      )
      select pg_notify('${CHANNELS.consumers}', id::text) from consumer`,
    values: [
      id,
      input.name,
      input.target_id,
      input.stream,
      input.path,
      input.ordering,
      input.alert_emails,
      JSON.stringify(input.metadata),
      region,
      position,
      input.syncs,
      input.collections,
      input.event_types,
      input.start === 'end', // nothing to send yet: the leader watches it from the beginning
      newId(),
      actor,
      JSON.stringify({ start: input.start, position }),
    ],
  });
}

/** The columns that a command may set. */
const SETTABLE = new Set([
  'name',
  'target_id',
  'path',
  'ordering',
  'alert_emails',
  'metadata',
  'status',
  'status_reason',
  'failing_since',
  'warned_at',
  'filter_version',
  'retried',
  'deleted_at',
]);

/**
 * Sets columns of a locked consumer and ends its hold; returns its next version. Throws when its
 * version is not `version`.
 */
export async function changeConsumer(
  sql: Sql,
  consumerId: string,
  { version, at, set }: { version: number; at: Date; set: Record<string, unknown> },
): Promise<number> {
  const names = Object.keys(set);
  for (const name of names)
    if (!SETTABLE.has(name)) throw new Error(`consumers has no ${name} to set`);
  const assignments = names.map((name, index) => `, ${name} = $${index + 4}`).join('');
  const { rows } = await sql.query<{ version: number }>({
    text: `
      update consumers set version = version + 1, held = false, updated_at = $3${assignments}
       where id = $1 and version = $2
      returning version`,
    values: [consumerId, version, at, ...Object.values(set)],
  });
  const next = rows[0]?.version;
  if (next === undefined) throw new Error(`consumer ${consumerId} changed under its row lock`);
  return next;
}

/** Asks the running sender to release its lease, or takes that back; notifies only if that is a change. */
export async function setHeld(sql: Sql, consumerId: string, held: boolean): Promise<void> {
  await sql.query({
    text: `
      with set as (
        update consumers set held = $2, version = version + 1 where id = $1 and held <> $2
        returning id
      )
      select pg_notify('${CHANNELS.consumers}', id::text) from set`,
    values: [consumerId, held],
  });
}

/** Makes a running sender read its parked entries again. */
export async function countParkedChange(sql: Sql, consumerId: string): Promise<void> {
  await sql.query({
    text: 'update consumers set parked_version = parked_version + 1 where id = $1',
    values: [consumerId],
  });
}

/**
 * Turns a consumer from active to blocked. The retry window began with the first failure since the last
 * success, which its sender has stored.
 */
export async function blockConsumer(
  sql: Sql,
  consumerId: string,
  { reason, at }: { reason: string; at: Date },
): Promise<void> {
  await sql.query({
    text: `
      update consumers k
         set status = 'blocked', status_reason = $2,
             failing_since = coalesce(k.failing_since, least($3, c.schedule_from)),
             version = k.version + 1, updated_at = $3
        from cursors c
       where k.id = $1 and c.consumer_id = k.id and k.status = 'active' and k.deleted_at is null`,
    values: [consumerId, reason, at],
  });
}

/**
 * The part of a statement that turns a consumer from blocked to active. Like `WARN` and `STOP`, it
 * makes the next row `k` and the cursor `c` from the locked row in `old`, at the time $2. Both are
 * empty when the consumer's status does not allow it.
 */
export const UNBLOCK = `
  k as (
    update consumers
       set status = 'active', status_reason = null, failing_since = null, warned_at = null,
           version = consumers.version + 1, updated_at = $2
      from old where consumers.id = old.id and old.status = 'blocked'
    returning consumers.*
  ), c as (${RECOVER}
  )`;

/** The part of a statement that notes that a warning has gone out, once for each time a consumer is blocked. */
export const WARN = `
  k as (
    update consumers set warned_at = $2, version = consumers.version + 1, updated_at = $2
      from old where consumers.id = old.id and old.status = 'blocked' and old.warned_at is null
    returning consumers.*
  ), c as (
    select cursors.* from cursors join k on consumer_id = k.id
  )`;

/** The part of a statement that stops a consumer for the reason $3, if its status is one of $4. */
export const STOP = `
  k as (
    update consumers
       set status = 'stopped', status_reason = $3, version = consumers.version + 1, updated_at = $2
      from old where consumers.id = old.id and old.status = any($4)
    returning consumers.*
  ), c as (${PLAN_NOTHING}
  )`;

/** The ids of all consumers that are not deleted. */
export async function consumerIds(sql: Sql): Promise<string[]> {
  const { rows } = await sql.query<{ id: string }>(
    'select id from consumers where deleted_at is null',
  );
  return rows.map(({ id }) => id);
}
