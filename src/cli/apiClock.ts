import type { Client } from '../api/client.ts';
import type { Start } from '../schema/consumer.ts';
import { CliError, EXIT } from './exit.ts';
import type { Place } from './values.ts';

/**
 * The time on the API's clock, from which the API itself counts times such as `2h` before now; unix ms, up to a
 * second early. Rejects with a `CliError` if a proxy hides it.
 */
export async function apiNow(client: Pick<Client, 'open'>): Promise<number> {
  const response = await client.open('GET', '/v1/info');
  await response.body?.cancel();
  const at = Date.parse(response.headers.get('date') ?? '');
  if (!Number.isNaN(at)) return at;
  throw new CliError(
    EXIT.failed,
    'The API does not say what time it is',
    '  Give a time such as 2026-11-23T10:00:00Z instead of one before now',
  );
}

/** A starting point in the form that the API accepts. */
export async function startOf(client: Pick<Client, 'open'>, place: Place): Promise<Start> {
  if (typeof place === 'string' || !('agoMs' in place)) return place;
  return { time: new Date((await apiNow(client)) - place.agoMs).toISOString() };
}
