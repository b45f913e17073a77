import { expect, test } from 'vitest';

import { createHeadWait } from '../../src/delivery/headWait.ts';
import { createRecoveries } from '../../src/delivery/recoveries.ts';
import type { StoredHead } from '../../src/progress/lease.ts';

test('an attempt that was hurried and could not be made is due at once, and the one after it is not', () => {
  const wait = createHeadWait({
    recoveries: createRecoveries(),
    targetId: 't',
    nowMs: () => 0,
    stir: () => undefined,
  });
  wait.hurry(); // while an attempt is in progress
  wait.rest(1_000); // which could not be made
  expect(wait.dueAt).toBe(-Infinity);
  wait.end();
  wait.begin({ nextAttemptAt: 50_000 } as StoredHead, false);
  expect(wait.dueAt).toBeGreaterThan(performance.now() + 40_000);
});
