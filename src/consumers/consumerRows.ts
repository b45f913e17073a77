import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import { CREATE_CURSOR, PLAN_NOTHING, RECOVER } from '../progress/cursors.ts';
import { createFilter } from '../progress/filterRows.ts';
import type { ConsumerInput } from '../schema/consumer.ts';
import { creationNoted } from './changes.ts';

/** A consumer that is to be created. */
export interface NewConsumer {
  id: string;
  input: ConsumerInput;
  region: string;
  /** Where it starts: an end of its stream as it is at this moment, or a position. */
  place: 'beginning' | 'end' | number;
  actor: string;
}

/** A consumer that has just been created. */
export interface Created {
  /** The position at which it starts. */
  position: number;
  /** The last position of its stream by then. */
  last_position: number;
  created_at: string;
  target_name: string;
}

/**
 * Creates a consumer with its first filter, its cursor and its row in `changes`, in one statement, and hints
 * the processes that serve it and start its workflow. Null, and without effect, when a consumer with this id
 * exists already or its target does not exist.
 */
export async function insertConsumer(sql: Sql, created: NewConsumer): Promise<Created | null> {
  const { id, input, region, place, actor } = created;
  const position = '(select position from place)';
  const first = {
    from: position,
    syncs: '$11',
    collections: '$12',
    types: '$13',
    condition: '$19',
  };
  const detail = `json_build_object('start', $16::json, 'position', ${position})`;
  const { rows } = await sql.query<Created>({
    name: 'create consumer',
    text: `
      with place as (
        select case $9 when 'end' then last_position when 'beginning' then first_position - 1
                       else $10::bigint end as position,
               last_position
          from streams where name = $4
      ), target as (
        select id, name from targets where id = $3 for key share -- it exists until this is stored
      ), consumer as (
        insert into consumers (id, name, target_id, stream, path, ordering, batch, alert_emails, metadata, body,
                               region, status, filter_version, version, started, created_at, updated_at)
        select $1, $2, target.id, $4, $5, $6, $18::jsonb, $7, $8, $20, $17, 'active', 1, 1, false, now(), now() from target
            on conflict (id) do nothing
        returning id, created_at
      ), filter as (${createFilter(first)}
      ), cursor as (${CREATE_CURSOR}
      ), change as (${creationNoted({ id: '$14', actor: '$15', detail })}
      )
      select position, last_position, created_at, target.name as target_name,
             pg_notify('${CHANNELS.created}', ''),
             case when wanted is not null then pg_notify('${CHANNELS.visits}', '') end
        from consumer cross join target cross join place cross join cursor`,
    values: [
      id,
      input.name,
      input.target_id,
      input.stream,
      input.path,
      input.ordering,
      input.alert_emails,
      JSON.stringify(input.metadata),
      typeof place === 'number' ? 'position' : place,
      typeof place === 'number' ? place : null,
      input.syncs,
      input.collections,
      input.event_types,
      newId(),
      actor,
      JSON.stringify(input.start),
      region,
      input.batch === null ? null : JSON.stringify(input.batch),
      input.where,
      JSON.stringify(input.body),
    ],
  });
  return rows[0] ?? null;
}

/** The columns that a command may set. */
const SETTABLE = new Set([
  'name',
  'target_id',
  'path',
  'ordering',
  'batch',
  'body',
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

/** Asks the running sender to release its lease, or withdraws that; notifies only if this is a change. */
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

/** Which workflow a consumer needs. */
export interface OfRegion {
  id: string;
  region: string;
}

/** All consumers whose workflows have run before. */
export async function startedConsumers(sql: Sql): Promise<ToStart[]> {
  const { rows } = await sql.query<ToStart>(`
    select k.id, k.region, k.name, t.name as "targetName"
      from consumers k join targets t on t.id = k.target_id
     where k.deleted_at is null and k.started`);
  return rows;
}

/** How many consumers there are whose workflows have run before. */
export async function countStartedConsumers(sql: Sql): Promise<number> {
  const { rows } = await sql.query<{ count: number }>(
    'select count(*)::int as count from consumers where deleted_at is null and started',
  );
  return rows[0]?.count ?? 0;
}

/** The data with which a consumer's workflow is started. */
export interface ToStart extends OfRegion {
  name: string;
  targetName: string;
}

/** The data with which a consumer's workflow is started; null when there is no such consumer. */
export async function consumerToStart(sql: Sql, consumerId: string): Promise<ToStart | null> {
  const { rows } = await sql.query<ToStart>({
    text: `
      select k.id, k.region, k.name, coalesce(t.name, '') as "targetName"
        from consumers k left join targets t on t.id = k.target_id
       where k.id = $1`,
    values: [consumerId],
  });
  return rows[0] ?? null;
}

/** A consumer whose workflow has not run yet. It is active, as commands start the workflow. */
export interface Unstarted extends ToStart {
  targetId: string;
  /** The base URL of its target. */
  url: string;
}

/** The oldest consumers whose workflows have not run yet. */
export async function unstartedConsumers(sql: Sql, limit: number): Promise<Unstarted[]> {
  const { rows } = await sql.query<Unstarted>({
    name: 'unstarted consumers',
    text: `
      select k.id, k.region, k.name, t.name as "targetName", t.id as "targetId", t.base_url as url
        from consumers k join targets t on t.id = k.target_id
       where not k.started and k.deleted_at is null
       order by k.created_at limit $1`,
    values: [limit],
  });
  return rows;
}

/** Notes that a consumer's workflow runs. */
export async function noteStarted(sql: Sql, consumerId: string): Promise<void> {
  await sql.query({
    name: 'note started',
    text: 'update consumers set started = true where id = $1 and not started',
    values: [consumerId],
  });
}
