import type { Sql } from '../db/db.ts';
import type { Overview, OverviewRange, TargetMetrics, Troubles } from '../schema/overview.ts';
import { readRangePercentiles } from './rangePercentiles.ts';
import { readTargetSeries } from './targetSeries.ts';
import { readTop } from './topConsumers.ts';
import { readTotals } from './totalsSeries.ts';
import { readTroubles } from './troubles.ts';

/** The figures of all consumers together, for people. */
export interface Overviews {
  /** The last hours; the answer may be some seconds old, or up to a minute for seven days. */
  read(range: OverviewRange): Promise<Overview>;
  /** The consumers in trouble, by target and cause; at most 2 s old. */
  troubles(): Promise<Troubles>;
  /** The consumers of one target that are in trouble, as they are now. */
  troublesOf(targetId: string): Promise<Troubles>;
  /** The attempts of one target's consumers together over the last hours. */
  ofTarget(targetId: string, range: OverviewRange): Promise<TargetMetrics>;
}

/** How long an answer is reused, ms, so that many readers cost no more than one. */
export type KeptMs = Record<OverviewRange | 'troubles', number>;

const KEPT: KeptMs = { '1h': 4_000, '6h': 10_000, '24h': 20_000, '7d': 60_000, troubles: 2_000 };

const SPANS: Record<OverviewRange, { seconds: number; stepSeconds: number }> = {
  '1h': { seconds: 3_600, stepSeconds: 60 },
  '6h': { seconds: 21_600, stepSeconds: 120 },
  '24h': { seconds: 86_400, stepSeconds: 300 },
  '7d': { seconds: 604_800, stepSeconds: 1_800 },
};

/** Creates a reader of overviews. `retryWindowMs`: the time after which a failing consumer stops. */
export function createOverviews(options: {
  sql: Sql;
  retryWindowMs: number;
  keptMs?: KeptMs;
}): Overviews {
  const { sql, retryWindowMs, keptMs = KEPT } = options;
  const reads = new Map<OverviewRange, () => Promise<Overview>>(
    (Object.keys(SPANS) as OverviewRange[]).map((range) => [
      range,
      keep(keptMs[range], () => read(sql, range)),
    ]),
  );
  return {
    read: (range) => reads.get(range)!(),
    troubles: keep(keptMs.troubles, () => readTroubles(sql, retryWindowMs)),
    troublesOf: (targetId) => readTroubles(sql, retryWindowMs, targetId),
    ofTarget: async (targetId, range) => {
      const span = SPANS[range];
      const series = await readTargetSeries(sql, { targetId, ...span });
      return { range, step: span.stepSeconds, ...series };
    },
  };
}

async function read(sql: Sql, range: OverviewRange): Promise<Overview> {
  const { seconds, stepSeconds } = SPANS[range];
  const top = await readTop(sql, seconds);
  const series = await readTotals(sql, { since: Date.parse(top.since), stepSeconds });
  const percentiles = await readRangePercentiles(sql, Date.parse(top.since));
  return { range, step: stepSeconds, ...percentiles, series, top };
}

/** Reuses an answer for `ms` from when it was requested; a failed one is requested again immediately. */
function keep<T>(ms: number, work: () => Promise<T>): () => Promise<T> {
  let last: { at: number; answer: Promise<T> } | null = null;
  return () => {
    const now = performance.now();
    if (last !== null && now - last.at < ms) return last.answer;
    const answer = work();
    const asked = { at: now, answer };
    last = asked;
    answer.catch(() => {
      if (last === asked) last = null;
    });
    return answer;
  };
}
