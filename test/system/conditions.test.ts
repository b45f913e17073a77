// random conditions over random data, edited while a drain sends
import fc from 'fast-check';
import { expect, test } from 'vitest';

import { jsonOf, someCondition, someData, type ReferenceCondition } from '../support/conditions.ts';
import { until } from '../support/poll.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { seedOf } from '../support/seeded.ts';
import { openWorld, someEvents } from '../support/world.ts';

const ENTRIES = 3_000;
const EDITS = 8;
const SEED = seedOf(process.env['CONDITIONS_SEED']);

test(`conditions that are edited while a consumer drains let through exactly what a second evaluation does (SEED=${SEED})`, async () => {
  await using world = await openWorld();
  await using receiver = await openReceiver((one, response) => {
    setTimeout(() => accept(one, response), 2);
  });
  const [data] = fc.sample(fc.array(someData, { minLength: ENTRIES, maxLength: ENTRIES }), {
    seed: SEED,
    numRuns: 1,
  });
  // Conditions that no entry or every entry satisfies show little.
  const telling = ({ valueFor }: ReferenceCondition): boolean => {
    const share = (data ?? []).filter((one) => valueFor(one) === true).length / ENTRIES;
    return share > 0.2 && share < 0.95;
  };
  const conditions = fc
    .sample(someCondition, { seed: SEED, numRuns: 500 })
    .filter(telling)
    .slice(0, EDITS + 1);
  expect(conditions).toHaveLength(EDITS + 1);
  const events = someEvents(ENTRIES).map((one, n) => ({ ...one, data: jsonOf(data?.[n] ?? null) }));
  await world.append.events(events.slice(0, ENTRIES / 2));
  const target = await world.target(receiver.url, { max_in_flight: 4 });
  const consumer = await world.consumer(target, {
    start: 'beginning',
    where: conditions[0]?.text ?? null,
  });
  const versions = [{ from: 0, condition: conditions[0] as ReferenceCondition }];
  for (const [edits, condition] of conditions.slice(1).entries()) {
    const before = receiver.received.length;
    await until(async () => receiver.received.length > before + 20 || (await isIdle()), {
      what: 'some entries arrive',
    });
    if (edits >= EDITS / 2) await world.append.events(partOf(edits - EDITS / 2));
    const { status, body } = await world.api.request('PATCH', `/v1/consumers/${consumer}`, {
      where: condition.text,
    });
    expect([status, body.where]).toEqual([200, condition.text]);
    versions.push({ from: body.filter_from, condition });
  }
  await world.caughtUp(consumer);

  /** The part of the second half that is appended with this edit. */
  function partOf(part: number) {
    const size = ENTRIES / 2 / (EDITS / 2);
    return events.slice(ENTRIES / 2 + part * size, ENTRIES / 2 + (part + 1) * size);
  }

  async function isIdle(): Promise<boolean> {
    return (await world.get(consumer)).lag.entries === 0;
  }

  const came = new Set(receiver.received.map(({ position }) => position));
  expect(came.size).toBe(receiver.received.length);
  const wrong: string[] = [];
  for (const [n, one] of (data ?? []).entries()) {
    const position = n + 1;
    const own = versions.findLastIndex(({ from }) => from < position);
    const holds = versions.map(({ condition }) => condition.valueFor(one) === true);
    const must = holds.slice(own).every(Boolean);
    if (must && !came.has(position)) wrong.push(`${position} has not come: ${jsonOf(one)}`);
    if (holds[own] !== true && came.has(position)) wrong.push(`${position} came: ${jsonOf(one)}`);
  }
  expect(wrong).toEqual([]);
  expect(came.size).toBeGreaterThan(ENTRIES / 10);
}, 180_000);
