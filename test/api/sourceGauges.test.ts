// what Prometheus sees of sources
import { expect, test } from 'vitest';

import { createMetrics } from '../../src/telemetry/metrics.ts';
import { showSourceGauges } from '../../src/telemetry/sourceGauges.ts';
import { openOwnApp } from '../support/app.ts';
import { parseExposition, type Sample } from '../support/exposition.ts';
import { addSource, addSourceTable } from '../support/sourceRow.ts';

test('each source has its status, its lag and its counts, and no more of them than allowed, those in trouble first', async () => {
  await using api = await openOwnApp();
  const { db } = api;
  const fine = await addSource(db, 'fine', {
    lag_bytes: '512',
    lag_ms: '1500',
    last_change_at: "now() - interval '1 h'",
  });
  await addSourceTable(db, fine, ['public', 'users'], { changes: 40 });
  await addSourceTable(db, fine, ['public', 'orders'], { changes: 2 });
  await db.query({
    text: `insert into source_problems (source_id, schema_name, table_name, reason, count, first_lsn, last_lsn, first_at, last_at)
           values ($1, 'public', 'users', 'is not a number', 3, '0/1', '0/2', now(), now())`,
    values: [fine],
  });
  await addSource(db, 'new', { status: "'paused'", measured_at: 'null' });
  const failed = await addSource(db, 'failed', { status: "'failed'", lag_bytes: '2048' });
  const away = await addSource(db, 'away', {
    interruption: "'connection refused'",
    interrupted_since: 'now()',
  });

  const samples = await scrape(3);
  const of = (name: string): Sample[] => samples.filter((one) => one.name === name);
  const valueOf = (name: string, source: string): number | undefined =>
    of(`millrace_source_${name}`).find(({ labels }) => labels['source'] === source)?.value;
  expect(of('millrace_source_interrupted').map(({ labels }) => labels['source'])).toEqual([
    failed,
    away,
    fine,
  ]);
  expect(valueOf('lag_bytes', fine)).toBe(512);
  expect(valueOf('lag_seconds', fine)).toBe(1.5);
  expect(valueOf('lag_bytes', away)).toBeUndefined(); // it has not been measured
  expect(valueOf('silent_seconds', fine)).toBeGreaterThanOrEqual(3_600);
  expect(valueOf('changes_total', fine)).toBe(42);
  expect(valueOf('problems_total', fine)).toBe(3);
  expect(valueOf('interrupted', away)).toBe(1);
  const state = of('millrace_source_state').filter(({ labels }) => labels['source'] === failed);
  expect(state.filter(({ value }) => value === 1).map(({ labels }) => labels['state'])).toEqual([
    'failed',
  ]);
  const sums = of('millrace_sources').map(({ labels, value }) => [labels['state'], value]);
  expect(Object.fromEntries(sums)).toEqual({ active: 2, paused: 1, failed: 1, deleting: 0 });
  expect(of('millrace_sources_interrupted')[0]?.value).toBe(1);
  expect(of('millrace_all_source_lag_bytes')[0]?.value).toBe(2_048);

  async function scrape(limit: number): Promise<Sample[]> {
    const metrics = createMetrics();
    const log = {
      warn: (error: unknown): void => {
        throw new Error('The sources could not be counted', { cause: error });
      },
    };
    showSourceGauges({ metrics, sql: db, limit, keepMs: 60_000, log });
    const families = parseExposition(await metrics.text());
    return [...families.values()].flatMap((family) => family.samples);
  }
});
