import pino from 'pino';
import { describe, expect, test } from 'vitest';

import { openDb } from '../../src/db/db.ts';
import { startClock } from '../../src/process/clock.ts';
import { clockNotes, noteClock, wrongClocks } from '../../src/process/clockNotes.ts';
import { aheadText, keepReading } from '../../src/process/clockReadings.ts';
import { createDatabase, PATIENT } from '../support/database.ts';
import { until } from '../support/poll.ts';

describe('of several readings of the clock of Postgres', () => {
  const slow = { askedAt: 0, answeredAt: 900, theirMs: 1_000_000 };
  const quick = { askedAt: 1_000, answeredAt: 1_010, theirMs: 1_001_205 };
  const cases: { title: string; before: number | null; base: number }[] = [
    { title: 'the quickest one counts, from its middle', before: null, base: 1_000_200 },
    { title: 'an offset that is consistent with it is kept', before: 1_000_204, base: 1_000_204 },
    { title: 'so is an offset that is off to the other side', before: 1_000_195, base: 1_000_195 },
    { title: 'an offset that is inconsistent with it goes', before: 1_000_206, base: 1_000_200 },
  ];
  test.each(cases)('$title', ({ before, base }) => {
    expect(keepReading([slow, quick], before)).toBe(base);
  });
});

test.each([
  [361_040, '361.0 s ahead of that of Postgres'],
  [-5_300, '5.3 s behind that of Postgres'],
])('a deviation of %d ms is put into words', (ms, text) => {
  expect(aheadText(ms)).toBe(text);
});

/** A clock on a database of its own, in a machine whose clock the test sets. */
async function openClock() {
  const database = await createDatabase();
  const lines: { level: number; msg: string }[] = [];
  const log = pino({}, { write: (line: string) => void lines.push(JSON.parse(line)) });
  const db = openDb({ url: database.url, ...PATIENT, onError: () => undefined });
  const machine = { aheadMs: 0 };
  const wallMs = (): number => Date.now() + machine.aheadMs;
  const clock = startClock({ sql: db, process: 'worker here/1', log, wallMs });
  return {
    db,
    clock,
    machine,
    said: () => lines.map(({ msg }) => msg),
    [Symbol.asyncDispose]: async () => {
      await clock[Symbol.asyncDispose]();
      await db.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

test('a machine whose clock is right logs nothing, and its time is in whole milliseconds', async () => {
  await using one = await openClock();
  await one.clock.measure();
  expect(Math.abs(one.clock.aheadMs ?? Infinity)).toBeLessThan(1_000);
  expect(Math.abs(one.clock.now() - Date.now())).toBeLessThan(1_000);
  expect(Number.isInteger(one.clock.now())).toBe(true);
  expect(await wrongClocks(one.db)).toEqual([]);
  expect(one.said()).toEqual([]);
});

test('a step of the machine’s clock does not show in the times that are returned, is reported immediately, and its note is removed once the clock is right', async () => {
  await using one = await openClock();
  await one.clock.measure();
  one.machine.aheadMs = -360_000;
  expect(Math.abs(one.clock.now() - Date.now())).toBeLessThan(1_000);
  const [noted] = await until(async () => {
    const wrong = await wrongClocks(one.db);
    return wrong.length > 0 && wrong;
  });
  expect(noted?.process).toBe('worker here/1');
  expect(Math.abs((noted?.aheadMs ?? 0) + 360_000)).toBeLessThan(1_000);
  expect(Math.abs(one.clock.now() - Date.now())).toBeLessThan(1_000);
  expect(await clockNotes(one.db)).toEqual([
    'The clock of a worker is 360.0 s behind that of Postgres',
  ]);
  one.machine.aheadMs = 0;
  await until(async () => (await wrongClocks(one.db)).length === 0);
  expect(one.said()).toEqual([
    'the clock of this machine is 360.0 s behind that of Postgres',
    'the clock of this machine is right again',
  ]);
});

test('a clock that was wrong at the start is right once it has been measured, and a process that ends removes its note', async () => {
  const one = await openClock();
  one.machine.aheadMs = 360_000;
  await using late = startClock({
    sql: one.db,
    process: 'server here/2',
    log: pino({ level: 'silent' }),
    wallMs: () => Date.now() + 360_000,
  });
  expect(late.now() - Date.now()).toBeGreaterThan(359_000);
  await late.measure();
  expect(Math.abs(late.now() - Date.now())).toBeLessThan(1_000);
  expect((await wrongClocks(one.db)).map(({ process }) => process)).toContain('server here/2');
  await late[Symbol.asyncDispose]();
  expect((await wrongClocks(one.db)).map(({ process }) => process)).not.toContain('server here/2');
  await one[Symbol.asyncDispose]();
});

test('while Postgres is away the clock keeps running, and notes of processes that have ended do not count', async () => {
  await using one = await openClock();
  await one.clock.measure();
  const before = one.clock.now();
  const away = startClock({
    sql: { query: () => Promise.reject(new Error('away')) },
    process: 'worker gone/3',
    log: pino({ level: 'silent' }),
  });
  await expect(away.measure()).rejects.toThrow('away');
  expect(away.aheadMs).toBeNull();
  expect(away.now()).toBeGreaterThanOrEqual(before - 1_000);
  await away[Symbol.asyncDispose]();
  await noteClock(one.db, 'worker gone/3', 90_000);
  await noteClock(one.db, 'server gone/4', -95_000);
  expect((await clockNotes(one.db)).map((note) => note.split(' is ')[0])).toEqual([
    'The clock of a server',
    'The clock of a worker',
  ]);
  await one.db.query(`update clocks set measured_at = now() - interval '4 minutes'`);
  expect(await wrongClocks(one.db)).toEqual([]);
});
