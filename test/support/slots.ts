import { until } from './poll.ts';
import type { SourceSession } from './sourcePostgres.ts';

/**
 * Drops the slots of a session's database once nobody reads them any more: those who do are cut off. A session that has
 * ended may still read one for moments, at the server.
 */
export async function dropSlots(session: SourceSession): Promise<void> {
  await until(async () => {
    const [read] = await session.rows(
      `select pg_terminate_backend(active_pid) from pg_replication_slots
        where active and database = current_database()`,
    );
    return read === undefined;
  });
  await session.run(
    `select pg_drop_replication_slot(slot_name) from pg_replication_slots where database = current_database()`,
  );
}
