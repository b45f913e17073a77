import type { Sql } from '../db/db.ts';
import { answerWords } from '../rules/answerWords.ts';

/**
 * Reads how the last answers of failing endpoints begin, in the endpoints' own words, by the ids of their
 * consumers. A consumer is missing if its last failure had no answer, or one without words, or if its attempts
 * are not kept any more.
 */
export async function readLastAnswers(
  sql: Sql,
  consumerIds: readonly string[],
): Promise<Map<string, string>> {
  if (consumerIds.length === 0) return new Map();
  const { rows } = await sql.query<{ id: string; response_head: string | null }>({
    text: `
      select c.consumer_id as id, newest.response_head
        from cursors c
       cross join lateral (
          select a.status, a.response_head from attempts a
           where a.consumer_id = c.consumer_id and a.outcome = 'failed'
           order by a.started_at desc, a.response_head is null, a.id desc -- one of a batch has it
           limit 1
       ) newest
       where c.consumer_id = any($1) and newest.status = (c.last_failure ->> 'status')::int`,
    values: [consumerIds],
  });
  const found = rows.map(({ id, response_head }) => [id, answerWords(response_head)] as const);
  return new Map(found.filter((one): one is [string, string] => one[1] !== null));
}
