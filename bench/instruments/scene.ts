import { insertPast, insertWeek } from './consolePast.ts';
import { insertConsumers, putInPlace, spreadOverTargets } from './crowd.ts';
import type { Installation } from './installation.ts';

/** The things that the console is opened with. */
export interface Scene {
  /** The consumer that made half of all attempts. */
  busy: string;
  /** Its target, which 1,000 other consumers share. */
  shared: string;
  /** A consumer with a target of its own, and that target. */
  lone: string;
  own: string;
  /** The ids of an event and of a record's version, which are their webhook-ids. */
  event: string;
  version: string;
}

/**
 * Inserts 10,000 consumers beside the given one, of which 1,000 share its target and the others have one each,
 * and the past with a million attempts.
 */
export async function insertScene(installation: Installation, busy: string): Promise<Scene> {
  const { sql } = installation;
  await insertConsumers(sql, busy);
  await spreadOverTargets(sql, busy);
  await insertPast(sql, busy);
  await insertWeek(sql, busy);
  await putInPlace(sql, busy);
  await sql.query('vacuum analyze');
  const { rows } = await sql.query<Omit<Scene, 'busy'>>(
    `select k.target_id as shared, c.id as lone, c.target_id as own, e.event_id as event, r.version_id as version
       from consumers k, crowd c, events e, records r
      where k.id = $1 and c.n = 5005 and e.position = 150000 and r.position = 150000`,
    [busy],
  );
  return { busy, ...rows[0]! };
}
