import { ClientError, type Client, type Page } from '../api/client.ts';

/** Returns the name of an id, or the id itself when it has none any more. */
export type NameOf = (id: string) => string;

const A_PAGE = 1_000;

/** Reads the names of all consumers. */
export function namesOfConsumers(client: Client): Promise<NameOf> {
  return namesOf((cursor) => client.consumers.list({ limit: A_PAGE, cursor }));
}

async function namesOf(
  list: (cursor: string | undefined) => Promise<Page<{ id: string; name: string }>>,
): Promise<NameOf> {
  const names = new Map<string, string>();
  let cursor: string | undefined;
  do {
    const page = await list(cursor);
    for (const { id, name } of page.data) names.set(id, name);
    cursor = page.next_cursor ?? undefined;
  } while (cursor !== undefined);
  return (id) => names.get(id) ?? id;
}

/** Reads the name of one target; null when it is gone. */
export async function nameOfTarget(client: Client, id: string): Promise<string | null> {
  try {
    return (await client.targets.get(id)).name;
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return null;
    throw error;
  }
}
