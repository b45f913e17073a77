import fc from 'fast-check';
import { describe, expect, test } from 'vitest';

import { nextDelayMs } from '../../src/rules/retry.ts';
import { HOSTS } from '../support/hosts.ts';
import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import { plannedBetween } from '../support/scheduled.ts';
import { drawFrom } from '../support/seeded.ts';
import { openWorld, someEvents } from '../support/world.ts';

const HOUR_MS = 3_600_000;
const DAY_MS = 24 * HOUR_MS;
/** An attempt this long before a time of the schedule stands for the one at that time. */
const EARLY_MS = 50;
/** The least pause between two attempts that the schedule makes. */
const LEAST_MS = 550;

/** What a sender keeps of a failing endpoint between two attempts. */
interface Failing {
  again: number | null;
  next: number;
}

/** Plans what follows an attempt that has failed at `at`, ms after the first failure. */
function planned(
  before: Failing | null,
  at: number,
  asked: number | null,
  stretch: number,
): Failing {
  const again = before?.again ?? null;
  const delay = nextDelayMs({
    failingMs: at,
    sinceAskedMs: again === null ? null : at - again,
    remainingMs: DAY_MS - at,
    windowMs: DAY_MS,
    retryAfterMs: asked,
    stretch,
  });
  const next = delay === null ? Infinity : at + delay;
  return { again: asked === null ? again : next, next };
}

/** When an endpoint is tried that always fails at once and that nobody touches. */
function undisturbed(stretch: number): number[] {
  const made = [0];
  for (let failing = planned(null, 0, null, stretch); failing.next < Infinity;) {
    made.push(failing.next);
    failing = planned(failing, failing.next, null, stretch);
  }
  return made;
}

describe('whatever other attempts are made', () => {
  test('no attempt comes later than it would have without them', () => {
    fc.assert(
      fc.property(fc.integer(), (seed) => {
        const draw = drawFrom(seed);
        const stretch = draw();
        const left = undisturbed(stretch);
        let failing = planned(null, 0, null, stretch);
        let last = 0;
        for (let made = 0; failing.next < Infinity && made < 3_000; made += 1) {
          const from = failing.next;
          const what = draw();
          // A command, a test or a changed target, at some time before the next attempt; or we were down.
          const start =
            what < 0.4
              ? last + (from - last) * draw()
              : from + (what < 0.45 ? draw() * 3 * HOUR_MS : 0);
          const ended = start + draw() * 15_000 * (draw() < 0.5 ? 0 : 1);
          const asked = draw() < 0.3 ? Math.floor(draw() * 30) * 1_000 : null;
          failing = planned(failing, ended, asked, stretch);
          last = ended;
          if (asked !== null || failing.next === Infinity) continue;
          const would = left.find((at) => at > ended + EARLY_MS) ?? DAY_MS;
          expect(failing.next - ended).toBeLessThanOrEqual(
            Math.max(would - ended, LEAST_MS) + 1e-6,
          );
        }
      }),
      { numRuns: 300 },
    );
  });

  test('a thousand waits that the endpoint asked for do not delay the attempts after one lost connection', () => {
    let failing = planned(null, 0, 1_000, 1);
    for (let made = 1; made < 1_000; made += 1) failing = planned(failing, failing.next, 1_000, 1);
    const waits: number[] = [];
    for (let made = 0; made < 5; made += 1) {
      const after = planned(failing, failing.next, null, 1);
      waits.push(Math.round(after.next - failing.next));
      failing = after;
    }
    expect(waits).toEqual([550, 5_500, 11_000, 22_000, 44_000]);
  });
});

describe.each(HOSTS)('sent to by $by', ({ options }) => {
  test.concurrent('an endpoint that asked to wait with Retry-After many times and then loses one connection is tried again as after a first failure', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver((one, response) => {
      if (one.attempt <= 7) answer(429, { 'retry-after': '1' })(one, response);
      else if (one.attempt === 8) response.socket?.resetAndDestroy();
      else accept(one, response);
    });
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(1));
    await until(() => receiver.received.length === 9);
    await world.caughtUp(consumer);
    // What was planned counts, from the end of the last wait, as a machine that is busy tries later.
    const { rows } = await world.db.query<Planned>({
      text: `
        select extract(epoch from lost.started_at - asked.next_attempt_at)::float8 * 1000 + lost.duration_ms as "endedMs",
               extract(epoch from lost.stored_at - asked.next_attempt_at)::float8 * 1000 as "storedMs",
               extract(epoch from lost.next_attempt_at - asked.next_attempt_at)::float8 * 1000 as "nextMs"
          from attempts lost join attempts asked using (consumer_id)
         where consumer_id = $1 and lost.attempt = 8 and asked.attempt = 7`,
      values: [consumer],
    });
    expect(rows).toHaveLength(1);
    expect(rows.filter((one) => !isPlanned(consumer, one))).toEqual([]);
  });

  test.concurrent('attempts by command that fail do not change when the endpoint is tried next', async () => {
    await using world = await openWorld(options);
    await using receiver = await openReceiver(answer(502));
    const consumer = await world.consumer(await world.target(receiver.url));
    await world.append.events(someEvents(1));
    await world.becomes(consumer, 'blocked');
    for (let given = 0; given < 12; given += 1) {
      const tries = receiver.received.length;
      await world.api.request('POST', `/v1/consumers/${consumer}/retry`);
      await until(() => receiver.received.length > tries);
    }
    // Each attempt is followed by the next of the times 0.5, 5.5, 15.5, … s after the first failure.
    const made = await until(async () => {
      const { rows } = await world.db.query<Planned>({
        text: `
          select extract(epoch from a.started_at - c.schedule_from)::float8 * 1000 + a.duration_ms as "endedMs",
                 extract(epoch from a.stored_at - c.schedule_from)::float8 * 1000 as "storedMs",
                 extract(epoch from a.next_attempt_at - c.schedule_from)::float8 * 1000 as "nextMs"
            from attempts a join cursors c using (consumer_id) where consumer_id = $1`,
        values: [consumer],
      });
      return rows.length > 12 && rows;
    });
    expect(made.filter((one) => !isPlanned(consumer, one))).toEqual([]);
  });
});

/** When an attempt ended and was stored, and when the next one is due: ms after the list of the schedule began. */
interface Planned {
  endedMs: number;
  storedMs: number;
  nextMs: number;
}

function isPlanned(consumer: string, { nextMs, ...made }: Planned): boolean {
  const { least, most } = plannedBetween(consumer, made);
  return nextMs >= least && nextMs <= most;
}
