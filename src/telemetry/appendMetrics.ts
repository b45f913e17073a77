import type { Appender } from '../streams/append.ts';
import { createCounts, createDurations } from './counters.ts';
import type { Metrics } from './metrics.ts';

/**
 * Wraps an appender so that entries, failures, and the time until they are on disk are counted; `countDeleted`
 * counts records that were deleted without it.
 */
export function countAppends(
  metrics: Metrics,
  appender: Appender,
): { appender: Appender; countDeleted: (count: number) => void } {
  const appended = createCounts<'stream'>(
    'millrace_appended_total',
    'Entries appended to a stream; a changed record counts once in each',
  );
  const durations = createDurations(
    'millrace_append_duration_seconds',
    'Time until a request, or a part of an NDJSON request, is on disk',
  );
  const failed = createCounts('millrace_append_failures_total', 'Appends that were not stored');
  const toRecords = appended.of({ stream: 'records' });
  const toEvents = appended.of({ stream: 'events' });
  const failures = failed.of({});
  metrics.register(appended, durations, failed);

  async function timed<T>(append: () => Promise<T>): Promise<T> {
    const startedAt = performance.now();
    try {
      const answer = await append();
      durations.add(performance.now() - startedAt);
      return answer;
    } catch (error) {
      failures.count += 1;
      throw error;
    }
  }

  function countMoved(count: number): void {
    toRecords.count += count;
    toEvents.count += count;
  }

  const counted: Appender = {
    records: async (changes, places) => {
      const answer = await timed(() => appender.records(changes, places));
      countMoved(answer.created + answer.updated + answer.deleted);
      return answer;
    },
    events: async (events) => {
      const answer = await timed(() => appender.events(events));
      toEvents.count += answer.accepted;
      return answer;
    },
    close: () => appender.close(),
  };
  return { appender: counted, countDeleted: countMoved };
}
