import { ClientError, type Client } from '../api/client.ts';

/** Reads the name of one target; null when it is gone. */
export async function nameOfTarget(client: Client, id: string): Promise<string | null> {
  try {
    return (await client.targets.get(id)).name;
  } catch (error) {
    if (error instanceof ClientError && error.status === 404) return null;
    throw error;
  }
}
