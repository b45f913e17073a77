import { setTimeout as sleep } from 'node:timers/promises';

import type { Logger } from 'pino';

import { plainArray } from '../db/arrayLiteral.ts';
import type { Sql } from '../db/db.ts';

/** An evaluation of a consumer's condition that failed. */
export interface NotedFault {
  consumerId: string;
  /** The filter version whose condition it was. */
  filterVersion: number;
  position: number;
  /** A sentence. */
  detail: string;
}

/** Counts evaluations that fail. What was noted within the last second is lost in a crash. */
export interface ConditionFaults extends AsyncDisposable {
  note(fault: NotedFault): void;
}

type Counted = NotedFault & { entries: number };

/** Creates the count of one process; it is stored `everyMs` after the first fault, all together in one statement. */
export function createConditionFaults(options: {
  sql: Sql;
  everyMs: number;
  log: Pick<Logger, 'warn'>;
}): ConditionFaults {
  const { sql, everyMs, log } = options;
  const ended = new AbortController();
  let counted = new Map<string, Counted>();
  let storing: Promise<void> | null = null;

  function note(fault: NotedFault): void {
    const known = counted.get(fault.consumerId);
    if (known !== undefined && known.filterVersion > fault.filterVersion) return;
    const isSame = known?.filterVersion === fault.filterVersion;
    const entries = isSame ? known.entries + 1 : 1;
    counted.set(fault.consumerId, { ...fault, entries });
    storing ??= storeSoon();
  }

  async function storeSoon(): Promise<void> {
    await sleep(everyMs, undefined, { signal: ended.signal }).catch(() => undefined); // at the end at once
    const stored = [...counted.values()];
    counted = new Map();
    storing = null;
    try {
      await store(sql, stored);
    } catch (error) {
      const fields = { err: error, consumers: stored.length };
      log.warn(fields, 'failed evaluations of conditions could not be counted');
    }
  }

  return {
    note,
    [Symbol.asyncDispose]: async () => {
      ended.abort();
      await storing;
    },
  };
}

async function store(sql: Sql, faults: Counted[]): Promise<void> {
  await sql.query({
    name: 'condition faults',
    text: `
      insert into condition_faults as f
             (consumer_id, filter_version, entries, since, at, position, detail)
      select n.consumer_id, n.filter_version, n.entries, now(), now(), n.position, n.detail
        from unnest($1::uuid[], $2::bigint[], $3::bigint[], $4::bigint[], $5::text[])
          as n(consumer_id, filter_version, entries, position, detail)
        join consumers k on k.id = n.consumer_id
          on conflict (consumer_id) do update
         set entries = case when f.filter_version = excluded.filter_version
                            then f.entries else 0 end + excluded.entries,
             since = case when f.filter_version = excluded.filter_version
                          then f.since else excluded.since end,
             filter_version = excluded.filter_version, at = excluded.at,
             position = excluded.position, detail = excluded.detail
       where f.filter_version <= excluded.filter_version`,
    values: [
      plainArray(faults.map((one) => one.consumerId)),
      faults.map((one) => one.filterVersion),
      faults.map((one) => one.entries),
      faults.map((one) => one.position),
      faults.map((one) => one.detail),
    ],
  });
}
