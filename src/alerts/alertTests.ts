import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import type { AlertTest } from '../schema/alertTest.ts';

/** A test alert that someone has requested. */
export interface AskedTest {
  id: string;
  /** Null: the default addresses of the worker that sends it. */
  recipient: string | null;
  actor: string;
}

/** No test is sent later than this after it was requested, because nobody waits for it any more. */
const FRESH = '30 seconds';

/**
 * Requests a test from the workers. A test with this id that has no result yet is requested again; those of
 * yesterday are deleted.
 */
export async function askForTest(sql: Sql, { id, recipient, actor }: AskedTest): Promise<void> {
  await sql.query("delete from alert_tests where asked_at < clock_timestamp() - interval '1 day'");
  await sql.query({
    text: `
      with asked as (
        insert into alert_tests (id, recipient, actor, asked_at) values ($1, $2, $3, clock_timestamp())
            on conflict (id) do update set asked_at = excluded.asked_at, claimed_at = null
                                     where alert_tests.result is null
        returning id
      )
      select pg_notify('${CHANNELS.alertTests}', '') from asked`,
    values: [id, recipient, actor],
  });
}

/** The state of a test; null when there is none with this id. */
export async function readTest(
  sql: Sql,
  id: string,
): Promise<{ isClaimed: boolean; result: AlertTest | null } | null> {
  const { rows } = await sql.query<{ isClaimed: boolean; result: AlertTest | null }>({
    text: `select claimed_at is not null as "isClaimed", result from alert_tests where id = $1`,
    values: [id],
  });
  return rows[0] ?? null;
}

/** Claims the oldest test that waits, so that no other worker sends it; null when there is none. */
export async function claimTest(sql: Sql): Promise<(AskedTest & { askedAt: string }) | null> {
  const { rows } = await sql.query<AskedTest & { askedAt: string }>({
    name: 'claim alert test',
    text: `
      update alert_tests set claimed_at = clock_timestamp()
       where id = (select id from alert_tests
                    where claimed_at is null and asked_at > clock_timestamp() - interval '${FRESH}'
                    order by asked_at limit 1 for update skip locked)
      returning id, recipient, actor, asked_at as "askedAt"`,
  });
  return rows[0] ?? null;
}

/** Stores the result of a test. */
export async function noteTested(sql: Sql, id: string, result: AlertTest): Promise<void> {
  await sql.query({
    text: 'update alert_tests set result = $2 where id = $1',
    values: [id, JSON.stringify(result)],
  });
}
