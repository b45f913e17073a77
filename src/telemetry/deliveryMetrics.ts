import type { DeliveryCounts } from '../delivery/drainContext.ts';
import type { Progress } from '../progress/progress.ts';
import type { SenderOutcomes } from '../progress/senderOutcomes.ts';
import { createCounts, createDurations } from './counters.ts';
import type { Metrics } from './metrics.ts';

/**
 * Counts attempts once they are stored, one commit at a time. A delivery costs a comparison per bucket
 * and two additions; an open request costs two additions.
 */
export function countDeliveries(metrics: Metrics): DeliveryCounts {
  const requests = { open: 0 };
  const durations = createDurations(
    'millrace_attempt_duration_seconds',
    'Time from the start of an attempt to the end of its response',
  );
  const attempts = createCounts<'outcome' | 'code'>(
    'millrace_deliveries_total',
    'Attempts that have ended and are stored, by outcome and error code',
  );
  const delivered = attempts.of({ outcome: 'delivered', code: 'HTTP_2XX' });
  metrics.register(durations, attempts);
  metrics.gauge('millrace_in_flight_requests', 'Open requests to endpoints', () => requests.open);

  function count({ batch, attempts: rows }: SenderOutcomes): void {
    delivered.count += batch.positions.length;
    for (const ms of batch.durationMs) durations.add(ms);
    for (const { outcome, errorCode, durationMs } of rows) {
      durations.add(durationMs);
      if (outcome === 'delivered') delivered.count += 1;
      else attempts.of({ outcome, code: errorCode ?? 'UNKNOWN' }).count += 1;
    }
  }

  function counted(progress: Progress): Progress {
    return {
      ...progress,
      commit: async (rows, leaseMs) => {
        const stored = await progress.commit(rows, leaseMs);
        for (const one of rows) if (stored.has(one.consumerId)) count(one);
        return stored;
      },
    };
  }

  return { requests, counted };
}
