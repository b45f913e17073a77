import { Client } from 'pg';

import { insertConsumers, spreadOverTargets } from '../../bench/instruments/crowd.ts';

/**
 * Inserts 10,000 consumers beside the given one, which they are like, without starting workflows. A thousand share
 * its target, the others have one each; a thousand are paused, 500 blocked, 100 stopped, and 20 can't be sent to.
 */
export async function insertCrowd(databaseUrl: string, like: string): Promise<void> {
  const sql = new Client({ connectionString: databaseUrl });
  await sql.connect();
  try {
    await insertConsumers(sql, like);
    await spreadOverTargets(sql, like); // which makes the table `crowd`
    for (const statement of TROUBLES) await sql.query(statement);
    await sql.query('analyze');
  } finally {
    await sql.end();
  }
}

const TROUBLES = [
  `update consumers c set status = 'blocked', failing_since = now() - interval '1 hour'
     from crowd k where k.id = c.id and k.n % 10 = 2 and k.n <= 5000`,
  `update cursors c
      set idle = false, head = 1, attempt = 3, schedule_from = now() - interval '1 hour',
          next_attempt_at = now() + interval '20 min',
          last_failure = jsonb_build_object('code', 'HTTP_5XX', 'status', 500 + n % 4, 'detail', 'HTTP 5xx',
                                            'at', now(), 'since', now() - interval '1 hour')
     from crowd k where k.id = c.consumer_id and k.n % 10 = 2 and k.n <= 5000`,
  `update consumers c
      set status = 'stopped', status_reason = 'the endpoint failed for the whole retry window',
          failing_since = now() - interval '25 hours'
     from crowd k where k.id = c.id and k.n % 10 = 3 and k.n <= 1000`,
  `insert into start_faults (consumer_id, code, detail, since, next_try_at, is_crash)
   select id, 'internal_error', 'An exception ended the sender', now(), now(), true
     from crowd where n % 10 = 4 and n <= 200`,
];
