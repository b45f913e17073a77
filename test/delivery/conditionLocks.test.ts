// What an edit of a condition holds up while it looks at parked entries.
import { expect, test } from 'vitest';

import { openFailingConsumer } from '../support/failingConsumer.ts';
import { accept } from '../support/receiver.ts';

const PARKED = 150;
/** Some 20 ms for each entry. */
const COSTLY = 'event.data.l.all(a, event.data.l.all(b, a + b == 2)) && event.data.n < 50';

test('an edit of a condition that takes long over parked entries keeps no one else from their rows', async () => {
  await using failing = await openFailingConsumer(accept, { events: 1 });
  const { db } = failing.api.api;
  const data = `{"l":[${Array(200).fill(1).join(',')}],"n":`;
  await db.query({
    text: `
      insert into parked (consumer_id, position, message_id, sync_id, collection_id, upstream_id, event, body,
                          attempts, parked_at, parked_ms, failing_ms, due_ms, last_failure)
      select $1, 1000 + n, 'm' || n, 's', 'a:b', 'u-' || n, 'created', '{"event":{"data":' || $2 || n || '}}}',
             1, now(), 0, 0, 3600000, '{"code":"HTTP_4XX"}'
        from generate_series(0, ${PARKED - 1}) n`,
    values: [failing.consumerId, data],
  });
  let isDone = false;
  let meanwhile = 0;
  const edit = failing.command({ kind: 'patch', patch: { where: COSTLY } }).finally(() => {
    isDone = true;
  });
  while (!isDone) {
    // What a commit of senders and the leader do, each for all consumers at once.
    await db.transaction(async (tx) => {
      await tx.query(`update tails set position = position where stream = 'events'`);
      await tx.query('update cursors set position = position');
    });
    meanwhile += 1;
  }
  expect(await edit).toMatchObject({ ok: true });
  // One that waited for the edit would be the last.
  expect(meanwhile).toBeGreaterThan(PARKED / 10);
  expect(await failing.parked()).toHaveLength(50);
}, 60_000);
