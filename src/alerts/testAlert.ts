import { setTimeout as pause } from 'node:timers/promises';

import type { Sql } from '../db/db.ts';
import type { AlertTest } from '../schema/alertTest.ts';
import { askForTest, readTest, type AskedTest } from './alertTests.ts';

/** Lets a worker send a test alert, and waits for its result. */
export type TestAlert = (asked: AskedTest) => Promise<AlertTest | 'not taken' | 'no result'>;

const LOOK_MS = 150;
/** How long a worker may take to begin, and then to store the result: its own limit is 15 s. */
const TAKEN_WITHIN_MS = 12_000;
const KNOWN_WITHIN_MS = 20_000;

/**
 * Creates the function that requests test alerts. It settles within 32 s: with the result of the test, with
 * `not taken` when no worker began it, or with `no result` when the worker that began it has not stored one.
 */
export function createTestAlert({
  sql,
  takenWithinMs = TAKEN_WITHIN_MS,
}: {
  sql: Sql;
  takenWithinMs?: number;
}): TestAlert {
  return async (asked) => {
    await askForTest(sql, asked);
    const from = performance.now();
    for (;;) {
      const test = await readTest(sql, asked.id);
      if (test?.result != null) return test.result;
      const passed = performance.now() - from;
      if (test?.isClaimed !== true && passed > takenWithinMs) return 'not taken';
      if (passed > takenWithinMs + KNOWN_WITHIN_MS) return 'no result';
      await pause(LOOK_MS);
    }
  };
}
