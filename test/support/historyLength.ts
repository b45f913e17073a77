import { until } from './poll.ts';
import type { World } from './world.ts';

/** How long the history of a consumer's workflow is, once it has begun and has nothing left to do. */
export async function historyLength(world: World, consumerId: string): Promise<number> {
  await until(async () => {
    const { rows } = await world.db.query<{ started: boolean }>({
      text: 'select started from consumers where id = $1',
      values: [consumerId],
    });
    return rows[0]?.started;
  });
  return until(async () => {
    const { raw, historyLength: length } = await world.handle(consumerId).describe();
    return raw.pendingWorkflowTask == null && length;
  });
}
