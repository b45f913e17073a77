import type { Sql } from '../db/db.ts';
import { firstOfBatch } from '../rules/batchId.ts';
import type { SearchHit, SearchResult } from '../schema/search.ts';
import { findBatch } from './batches.ts';
import { findEvent, findEventsOf, findRecords, findVersion } from './entries.ts';
import { findConsumers, findSources, findSyncs, findTargets } from './named.ts';
import { findEventsIn, findRecordsIn, noneOfTrace, traceIn } from './traced.ts';

/** Finds things by what people know about them. */
export interface Search {
  /**
   * Finds consumers, targets, sources and syncs by the beginning of their id or name, records by their upstream id, and entries by
   * their id, which is their `webhook-id`: at most `limit` of each kind. The `webhook-id` of a batch finds the batch, or
   * says why it does not. The id of a trace, or a `traceparent`, finds the newest entries that were appended in it. Costs
   * the same however many there are.
   */
  find(text: string, limit: number): Promise<SearchResult>;
}

/** Creates the search of everything that is stored. */
export function createSearch(sql: Sql): Search {
  async function findTrace(trace: string, limit: number): Promise<SearchResult> {
    const [records, events] = await Promise.all([
      findRecordsIn(sql, trace, limit),
      findEventsIn(sql, trace, limit),
    ]);
    const data = [...records, ...events];
    return data.length > 0 ? { data } : { data, note: noneOfTrace(trace) };
  }

  return {
    find: async (given, limit) => {
      const text = withoutHeaderName(given);
      const first = firstOfBatch(text);
      if (first !== null) return findBatch(sql, text, first);
      const [consumers, targets, sources, syncs, records, ofThisId, ofRecord] = await Promise.all([
        findConsumers(sql, text, limit),
        findTargets(sql, text, limit),
        findSources(sql, text, limit),
        findSyncs(sql, text, limit),
        findRecords(sql, text, limit),
        findEvent(sql, text),
        findEventsOf(sql, text, limit),
      ]);
      const found: SearchHit[] = [...consumers, ...targets, ...sources, ...syncs, ...records];
      found.push(...[...ofThisId, ...ofRecord.filter(isNot(ofThisId))].slice(0, limit));
      if (found.length > 0) return { data: found };
      const trace = traceIn(text);
      return trace === null ? { data: await findVersion(sql, text) } : findTrace(trace, limit);
    },
  };
}

/** The id of a line that was copied from a webhook's headers: `webhook-id: 01…`. */
function withoutHeaderName(text: string): string {
  return text.replace(/^\s*webhook-id\s*:\s*/iu, '').trim() || text;
}

function isNot([first]: { event_id: string }[]) {
  return ({ event_id }: { event_id: string }): boolean => event_id !== first?.event_id;
}
