import type { Client } from 'pg';

/** How many consumers `insertConsumers` inserts. */
const CONSUMERS = 10_000;
/** How many of the consumers share the target of the busy one; each of the others has a target of its own. */
const SHARED = 1_000;

/** How many consumers there are in each kind of trouble. */
const TROUBLED = { failing: 500, stopped: 100, cannotStart: 20, behind: 1_000 };

/**
 * Inserts copies of a consumer without starting workflows: they are caught up and idle, except that one in ten
 * is paused.
 */
export async function insertConsumers(sql: Client, like: string): Promise<void> {
  await sql.query(
    `with made as (
       insert into consumers (id, name, target_id, stream, path, ordering, alert_emails, metadata, region,
                              status, filter_version, version, created_at, updated_at, deleted_at)
       select gen_random_uuid(), 'bench consumer-' || n, k.target_id, k.stream, k.path, k.ordering, k.alert_emails,
              k.metadata, k.region, case when n % 10 = 0 then 'paused' else 'active' end, 1, 1,
              k.created_at - n * interval '1 s', k.updated_at, null
         from consumers k, generate_series(1, ${CONSUMERS}) n
        where k.id = $1
       returning id, status
     ), filters as (
       insert into filter_versions (consumer_id, version, filter_from, syncs, collections, event_types)
       select id, 1, 0, '{*}', '{*}', '{*}' from made
     )
     insert into cursors (consumer_id, position, idle) select id, 0, status = 'active' from made`,
    [like],
  );
  await sql.query('vacuum analyze');
}

/**
 * Gives most of the consumers a target of their own, and leaves 1,000 on the target of the busy one. It creates
 * a table `crowd` for this session: the other consumers, numbered from 1. The secrets of the new targets can't
 * be opened, which makes listing the targets no cheaper than if they could be.
 */
export async function spreadOverTargets(sql: Client, busyId: string): Promise<void> {
  await sql.query(
    `create temp table crowd as
       select row_number() over (order by created_at desc, id) as n, id, gen_random_uuid() as target_id
         from consumers where id <> $1`,
    [busyId],
  );
  await sql.query('create unique index on crowd (n)');
  await sql.query('analyze crowd');
  await sql.query(
    `insert into targets (id, name, kind, base_url, credentials, headers, signing_secret, timeout_ms,
                          max_in_flight, metadata, created_at, updated_at)
     select c.target_id, 'Endpoint ' || n || ' of shop-' || n % 97, t.kind, t.base_url, t.credentials,
            t.headers, t.signing_secret, t.timeout_ms, t.max_in_flight, t.metadata,
            t.created_at - n * interval '1 s', t.updated_at
       from consumers k join targets t on t.id = k.target_id, crowd c
      where k.id = $1 and n > ${SHARED}`,
    [busyId],
  );
  await sql.query(
    `update consumers k set target_id = c.target_id from crowd c where c.id = k.id and n > ${SHARED}`,
  );
  // Lists of a target's attempts go back to the time at which the first of its consumers was created.
  await sql.query(`update consumers set created_at = created_at - interval '30 days'`);
}

/**
 * Gives the consumers an everyday mix of states: most are idle and caught up, some are behind, some fail, and
 * some are stopped or can't send. The entries and `crowd` have to exist already.
 */
export async function putInPlace(sql: Client, busyId: string): Promise<void> {
  await sql.query(
    'update tails set position = last_position from streams where name = tails.stream',
  );
  await sql.query(
    `update cursors c
        set idle = true, indexed_epoch = l.epoch, wanted = null, visited = false, holder = null,
            lease_until = null, position = s.last_position
       from leader l, streams s where l.name = 'wake' and s.name = 'events'`,
  );
  await sql.query(
    `update cursors c set idle = false, indexed_epoch = null, position = position - 7 * k.n
       from crowd k where k.id = c.consumer_id and k.n % 10 = 1 and k.n <= 10 * ${TROUBLED.behind}`,
  );
  await sql.query(
    `update cursors set idle = false, indexed_epoch = null, position = position - 2000
      where consumer_id = $1`,
    [busyId],
  );
  await sql.query(
    `update cursors c
        set idle = false, indexed_epoch = null, head = position - 9, position = position - 10, attempt = 3,
            schedule_from = now() - interval '1 hour', next_attempt_at = now() + interval '1 min',
            last_failure = jsonb_build_object('code', 'HTTP_5XX', 'status', 500 + n % 4, 'detail', 'HTTP 5xx', 'at', now())
       from crowd k where k.id = c.consumer_id and k.n % 10 = 2 and k.n <= 10 * ${TROUBLED.failing}`,
  );
  await sql.query(
    `update consumers c
        set status = 'stopped', status_reason = 'the endpoint failed for the whole retry window',
            failing_since = now() - interval '25 hours'
       from crowd k where k.id = c.id and k.n % 10 = 3 and k.n <= 10 * ${TROUBLED.stopped}`,
  );
  await sql.query(
    `insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
     select id, 'internal_error', 'An exception ended the sender', now(), now(), true
       from crowd where n % 10 = 4 and n <= 10 * ${TROUBLED.cannotStart}`,
  );
}
