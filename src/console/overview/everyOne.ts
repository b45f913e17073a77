import type { ConsumersQuery } from '../../api/client.ts';
import type { Consumer, ConsumerStatus } from '../../schema/consumer.ts';
import { api, messageOf } from '../api.ts';
import { createTurns } from '../turns.ts';

/** Commands that can be given to several consumers. */
export type EveryVerb = 'retry' | 'resume' | 'pause';

/** How many commands are in progress at a time. */
const AT_ONCE = 3;

/** The outcome: how many consumers accepted the command, and those that did not, with the reason. */
export interface Outcome {
  done: number;
  failed: { id: string; name: string; reason: string }[];
}

/** All consumers of a target in one of these states. */
export async function consumersOf(
  targetId: string,
  statuses: readonly ConsumerStatus[],
): Promise<Consumer[]> {
  const all: Consumer[] = [];
  for (const status of statuses) {
    all.push(...(await everyConsumer({ target_id: targetId, status })));
  }
  return all;
}

/** All consumers that match. */
export async function everyConsumer(query: ConsumersQuery): Promise<Consumer[]> {
  const all: Consumer[] = [];
  let cursor: string | undefined;
  do {
    const page = await api.consumers.list({ ...query, limit: 1000, cursor });
    all.push(...page.data);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return all;
}

/** Gives each consumer the command, a few at a time; a refusal does not stop the others. */
export async function giveToAll(
  verb: EveryVerb,
  consumers: readonly Pick<Consumer, 'id' | 'name'>[],
  onProgress: (tried: number) => void,
): Promise<Outcome> {
  const turn = createTurns(AT_ONCE);
  const { signal } = new AbortController();
  const outcome: Outcome = { done: 0, failed: [] };
  const give = async ({ id, name }: Pick<Consumer, 'id' | 'name'>): Promise<void> => {
    try {
      await turn(() => api.consumers.command(id, verb), signal);
      outcome.done += 1;
    } catch (error) {
      outcome.failed.push({ id, name, reason: messageOf(error) });
    }
    onProgress(outcome.done + outcome.failed.length);
  };
  await Promise.all(consumers.map(give));
  return outcome;
}
