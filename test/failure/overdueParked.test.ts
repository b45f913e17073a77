import { expect, test } from 'vitest';

import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents } from '../support/world.ts';

const HOUR = 3_600_000;
/** So long that even a stalled process reads an answer within it that comes at once. */
const PATIENT_MS = 6_000;

test('a parked entry whose window passed while no worker ran is not given up because of one answer that comes late', async () => {
  await using world = await openWorld({ retryWindowMs: HOUR });
  let tries: number | null = null; // of the entry that hangs, since the worker is back
  await using receiver = await openReceiver((one, response) => {
    if (!one.body.includes('"n":0}')) accept(one, response);
    else if (tries !== null) {
      tries += 1;
      if (tries > 1) accept(one, response);
      else setTimeout(() => accept(one, response), PATIENT_MS * 2); // it takes it, too late for the sender
    }
  });
  const target = await world.target(receiver.url, { timeout_ms: 700, max_in_flight: 4 });
  const consumer = await world.consumer(target);
  await world.append.events(someEvents(100, { records: 100 }));
  await until(async () => (await world.get(consumer)).parked === 1);
  await world.stopWorker();
  await world.db.query({
    text: 'update targets set timeout_ms = $1, version = version + 1',
    values: [PATIENT_MS],
  });
  await world.db.query({
    text: `
      update parked set parked_ms = parked_ms - $1::bigint, failing_ms = failing_ms - $1::bigint,
                        due_ms = due_ms - $1::bigint`,
    values: [2 * HOUR],
  });
  tries = 0;
  await world.startWorker();
  await until(async () => (await world.get(consumer)).parked === 0);
  const { rows } = await world.db.query('select message_id from dead_letters');
  expect(rows).toEqual([]);
  expect(tries).toBe(2);
  expect(await world.caughtUp(consumer)).toMatchObject({ status: 'active', position: 100 });
}, 120_000);
