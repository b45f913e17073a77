import { newId } from '../../src/db/ids.ts';
import type { ConsumersApi } from './consumers.ts';

/** What the drawers of a consumer show. */
export interface ConsumerPast {
  attempt: string;
  letter: string;
}

const SYNC = 'warehouse-accra-production-eu-west-1';
const COLLECTION = 'shopify:fulfillment_order';
const RECORD = 'gid://shopify/FulfillmentOrder/5402193847561928374';

const FAILURE = JSON.stringify({
  code: 'HTTP_4XX',
  status: 422,
  detail: 'HTTP 422',
  at: '2026-11-23T12:03:00Z',
  response_head: '{"error":"state: NA is no state of the USA"}',
});

/**
 * Gives a consumer a past, as its sender would store it, of entries with ids as long as real ones: a delivery, a
 * failure, a parked entry, a dead letter and an alert.
 */
export async function insertPastOf(
  opened: ConsumersApi,
  consumerId: string,
): Promise<ConsumerPast> {
  const sql = (text: string, values: unknown[]) => opened.api.db.query({ text, values });
  const entries: { position: number; id: string }[] = [];
  for (const event of ['created', 'updated', 'updated', 'deleted']) {
    const id = newId();
    const one = { event, event_id: id, upstream_id: RECORD, data: { amount: 12, state: 'NA' } };
    const events = [{ sync_id: SYNC, collection_id: COLLECTION, ...one }];
    const { status, body } = await opened.api.request('POST', '/v1/events', { events });
    if (status !== 200) throw new Error(`Appending answered ${status}: ${JSON.stringify(body)}`);
    entries.push({ position: body.position, id });
  }
  const [delivered, failed, parked, dead] = entries;
  const past = { attempt: newId(), letter: newId() };
  await sql(
    `insert into attempts (id, consumer_id, position, message_id, event_id, attempt, started_at, duration_ms,
                           outcome, status, error_code, response_head, next_attempt_at)
     values ($1, $2, $3, $4, $4, 1, now() - interval '3 min', 12, 'delivered', 204, null, null, null),
            ($5, $2, $6, $7, $7, 3, now() - interval '2 min', 14812, 'failed', 503, 'HTTP_5XX',
             'Maintenance until tonight', now() + interval '9 min')`,
    [
      newId(),
      consumerId,
      delivered!.position,
      delivered!.id,
      past.attempt,
      failed!.position,
      failed!.id,
    ],
  );
  await sql(
    `insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
                         attempts, parked_at, parked_ms, failing_ms, due_ms, last_failure)
     select id, $2, $3, $4, $5, $6, 'updated', '{}', 3, now(), 0, 0, active_ms + 3600000, $7
       from consumers where id = $1`,
    [consumerId, parked!.position, parked!.id, SYNC, COLLECTION, RECORD, FAILURE],
  );
  await sql(
    `insert into dead_letters (id, consumer_id, position, message_id, sync_id, collection_id, upstream_id, event,
                               body, attempts, parked_at, died_at, last_failure)
     values ($1, $2, $3, $4, $5, $6, $7, 'deleted', '{}', 44, now() - interval '25 hours', now(), $8)`,
    [past.letter, consumerId, dead!.position, dead!.id, SYNC, COLLECTION, RECORD, FAILURE],
  );
  await sql(
    `insert into alerts (id, consumer_id, kind, detail, at)
     values ($1, $2, 'recovered', '{"reason":"it is delivering again"}', now())`,
    [newId(), consumerId],
  );
  return past;
}
