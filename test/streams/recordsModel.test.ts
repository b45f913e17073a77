import { isDeepStrictEqual } from 'node:util';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { createPasses } from '../../src/streams/passes.ts';
import { aChange, openStreams, type Streams } from '../support/streams.ts';

type Fields = Record<string, number>;

interface Change {
  record: string;
  fields: Fields;
  kind: 'whole' | 'merge' | 'delete';
  /** Which of the passes it comes in, counted from the newest; null for none. */
  pass: number | null;
}

type Step =
  | { does: 'append'; changes: Change[] }
  | { does: 'begin' }
  | { does: 'complete'; pass: number; confirm: boolean };

const change: fc.Arbitrary<Change> = fc.record({
  record: fc.constantFrom('a', 'b', 'c', 'd', 'e', 'f', 'g'),
  fields: fc.dictionary(fc.constantFrom('x', 'y', 'z'), fc.constantFrom(1, 2), {
    maxKeys: 3,
    noNullPrototype: true,
  }),
  kind: fc.constantFrom('whole', 'whole', 'merge', 'merge', 'delete'),
  pass: fc.constantFrom(null, 0, 0, 1),
});
const step: fc.Arbitrary<Step> = fc.oneof(
  {
    weight: 6,
    arbitrary: fc.record({
      does: fc.constant('append' as const),
      changes: fc.array(change, { minLength: 1, maxLength: 8 }),
    }),
  },
  { weight: 2, arbitrary: fc.record({ does: fc.constant('begin' as const) }) },
  {
    weight: 3,
    arbitrary: fc.record({
      does: fc.constant('complete' as const),
      pass: fc.constantFrom(0, 0, 0, 1),
      confirm: fc.boolean(),
    }),
  },
);

interface ModelPass {
  id: string;
  /** Those that were written since it began, or came in it. */
  seen: Set<string>;
  ended: 'superseded' | { deleted: number; seen: number } | null;
}

/** What ought to be there, by the plainest means. */
function createModel() {
  const records = new Map<string, { fields: Fields | null; deleted: boolean }>();
  const passes: ModelPass[] = [];

  function append({ record, fields, kind }: Change, pass: ModelPass | undefined): string {
    const before = records.get(record);
    const data =
      kind === 'delete'
        ? (before?.fields ?? null)
        : kind === 'merge'
          ? { ...before?.fields, ...fields }
          : fields;
    const deleted = kind === 'delete';
    const isEqual = before?.deleted === deleted && same(before.fields, data);
    records.set(record, { fields: data, deleted });
    if (!isEqual) for (const one of passes) one.seen.add(record);
    else if (pass?.ended === null) pass.seen.add(record);
    if (isEqual) return 'unchanged';
    if (deleted) return 'deleted';
    return before === undefined || before.deleted ? 'created' : 'updated';
  }

  function begin(id: string): void {
    for (const pass of passes) pass.ended ??= 'superseded';
    passes.unshift({ id, seen: new Set(), ended: null });
  }

  function complete(pass: ModelPass, confirm: boolean): unknown {
    if (pass.ended === 'superseded') return 'pass_superseded';
    if (pass.ended !== null) return pass.ended;
    const live = [...records].filter(([, { deleted }]) => !deleted).map(([record]) => record);
    const unseen = live.filter((record) => !pass.seen.has(record));
    if (unseen.length > live.length / 5 && !confirm) return 'too_many_deletes';
    for (const record of unseen) records.get(record)!.deleted = true;
    pass.ended = { deleted: unseen.length, seen: live.length - unseen.length };
    return pass.ended;
  }

  return { records, passes, append, begin, complete };
}

function same(a: Fields | null, b: Fields | null): boolean {
  return isDeepStrictEqual(a, b);
}

/** The records as they are stored, and as the events in their order make them. */
async function readBoth({ db }: Streams, syncId: string): Promise<[object, object]> {
  const stored = await db.query<{ id: string; data: string; deleted: boolean }>({
    text: 'select upstream_id as id, data, deleted from records where sync_id = $1',
    values: [syncId],
  });
  const events = await db.query<{ id: string; data: string; deleted: boolean; was: string | null }>(
    {
      text: `select upstream_id as id, data, event = 'deleted' as deleted, changes as was
             from events where sync_id = $1 order by position`,
      values: [syncId],
    },
  );
  const replayed = new Map<string, object>();
  for (const { id, data, deleted, was } of events.rows) {
    const before = replayed.get(id) as { fields: Fields } | undefined;
    for (const [name, value] of Object.entries(JSON.parse(was ?? '{}') as Fields)) {
      expect(before?.fields[name] ?? null).toBe(value);
    }
    replayed.set(id, { fields: JSON.parse(data) as unknown, deleted });
  }
  const records = stored.rows.map(
    ({ id, data, deleted }) => [id, { fields: JSON.parse(data) as unknown, deleted }] as const,
  );
  return [Object.fromEntries(records), Object.fromEntries(replayed)];
}

test('whatever is appended, merged and passed, records are as in a simple model, and their events replay to them', async () => {
  await using streams = await openStreams();
  const passes = createPasses({ db: streams.db, limits: { surveyed: 3, part: 2, partBytes: 10 } });

  async function run(steps: Step[]): Promise<void> {
    const model = createModel();
    const of = { syncId: newId(), collectionId: 'a:b' };
    for (const one of steps) {
      if (one.does === 'begin') {
        const { id } = await passes.begin({ id: newId(), ...of });
        model.begin(id);
      } else if (one.does === 'append') {
        const rows = one.changes.map(({ record, fields, kind, pass }) =>
          aChange({
            ...of,
            upstreamId: record,
            data: kind === 'delete' ? null : JSON.stringify(fields),
            merge: kind === 'merge',
            deleted: kind === 'delete',
            passId: pass === null ? undefined : model.passes[pass]?.id,
          }),
        );
        const answer = await streams.appender.records(rows);
        const counts = { created: 0, updated: 0, deleted: 0, unchanged: 0 };
        for (const each of one.changes) {
          const pass = each.pass === null ? undefined : model.passes[each.pass];
          counts[model.append(each, pass) as keyof typeof counts] += 1;
        }
        expect(answer).toMatchObject(counts);
      } else {
        const pass = model.passes[one.pass];
        if (pass === undefined) continue;
        const done = await passes
          .complete(pass.id, one.confirm)
          .catch((error: { options: { code: string } }) => error.options.code);
        expect(done).toEqual(model.complete(pass, one.confirm));
      }
      const [stored, replayed] = await readBoth(streams, of.syncId);
      expect(stored).toEqual(Object.fromEntries(model.records));
      expect(replayed).toEqual(stored);
    }
  }

  await fc.assert(fc.asyncProperty(fc.array(step, { minLength: 4, maxLength: 25 }), run), {
    numRuns: 40,
  });
});
