import type { AlertOptions } from '../alerts/alertItem.ts';
import { TROUBLED, type Troubled } from '../alerts/troubled.ts';
import type { Sql } from '../db/db.ts';
import { PASSES_FILTER } from '../rules/filterSql.ts';
import { LEADER_JOINS, SHOWN_POSITION } from '../rules/positionSql.ts';
import { writeRetentionAlerts } from './retentionAlerts.ts';
import { lostText } from './retentionText.ts';

/** A partition of events that is about to be dropped. */
export interface GoingPartition {
  /** The name of its table. */
  name: string;
  /** Its last position. */
  last: number;
  /** How long its events were kept, ms. */
  keptMs: number;
}

/** How many consumers one statement counts: each may read the whole partition, which takes about a second. */
const AT_ONCE = 50;

/**
 * Writes, in the caller's transaction, an alert for each consumer that loses events with the
 * partition: unsettled events ahead of it that pass the lists of its filter. Returns how many consumers there are.
 */
export async function tellOfLost(
  tx: Sql,
  options: AlertOptions,
  { name, last, keptMs }: GoingPartition,
): Promise<number> {
  const behind = await tx.query<{ id: string }>({ text: BEHIND, values: [last] });
  const ids = behind.rows.map(({ id }) => id);
  const missed: LostOfConsumer[] = [];
  for (let from = 0; from < ids.length; from += AT_ONCE) {
    const { rows } = await tx.query<LostOfConsumer>({
      text: lostIn(name),
      values: [ids.slice(from, from + AT_ONCE)],
    });
    missed.push(...rows);
  }
  const alerts = missed.map(({ id, count, first, last, at_most, told_at, ...troubled }) => ({
    consumerId: id,
    reason: lostText({ count, first, last }, keptMs, at_most),
    at: new Date(told_at),
    troubled,
    lost: { count, first, last },
  }));
  if (alerts.length > 0) await writeRetentionAlerts(tx, options, alerts);
  return alerts.length;
}

/** Finds the consumers that are not beyond the partition, so that the others, which are the majority, cost little. */
const BEHIND = `
  select k.id
    from consumers k
    join cursors c on c.consumer_id = k.id
    ${LEADER_JOINS}
   where k.stream = 'events' and k.deleted_at is null and ${SHOWN_POSITION} < $1`;

interface LostOfConsumer extends Troubled {
  id: string;
  count: number;
  first: number;
  last: number;
  /** Whether a condition, which was not evaluated, might have excluded some of them. */
  at_most: boolean;
  told_at: string;
}

function lostIn(partition: string): string {
  return `
    select k.id, ${TROUBLED}, k.failing_since, now() as told_at, missed.*,
           exists (select from filter_versions f
                    where f.consumer_id = k.id and f.condition is not null) as at_most
      from consumers k
      join cursors c on c.consumer_id = k.id
      join targets t on t.id = k.target_id
      join streams s on s.name = k.stream
     cross join lateral (
        select count(*) as count, min(e.position) as first, max(e.position) as last
          from ${partition} e
         where e.position > c.position and not e.position = any (c.ahead) and ${PASSES_FILTER}
     ) missed
     where k.id = any ($1) and missed.count > 0`;
}
