import { expect, test } from 'vitest';

import { toApiError } from '../../src/api/errors.ts';
import { ingestLines } from '../../src/api/ndjson.ts';
import { Overloaded } from '../../src/streams/append.ts';

async function* lines(count: number): AsyncGenerator<Uint8Array> {
  for (let n = 0; n < count; n += 1) yield Buffer.from(`{"n":${n}}\n`);
}

test('the refusal of a line is judged by its kind, not by the words of its error', async () => {
  const sent = ingestLines({
    body: lines(3),
    toRow: () => ({ faults: [{ pointer: '/not queryable', detail: 'is not a field' }] }),
    append: () => Promise.resolve({ accepted: 0 }),
    add: (sum) => sum,
  });
  const error = await sent.catch((refused: unknown) => refused);
  expect(toApiError(error)?.options).toMatchObject({ status: 422, code: 'invalid_line' });
});

test('an import that is refused halfway says how many of its lines are kept', async () => {
  let kept = 0;
  const sent = ingestLines({
    body: lines(1_200),
    toRow: (entry) => ({ row: entry }),
    append: async (rows) => {
      if (kept >= 500) throw new Overloaded('Too many appends wait');
      kept += rows.length;
      return { accepted: rows.length };
    },
    add: (sum) => sum,
  });
  const error = await sent.catch((refused: unknown) => refused);
  expect(toApiError(error)?.options).toMatchObject({
    status: 503,
    code: 'overloaded',
    headers: { 'retry-after': '1' },
    extra: { committed: 500 },
  });
});
