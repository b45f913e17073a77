import type { Page as ListPage } from '../../src/api/client.ts';
import type { Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { until } from './poll.ts';
import type { Cluster } from './processes.ts';
import { accept, answer, openReceiver, type TestReceiver } from './receiver.ts';
/** Short enough that a test sees an entry die; for `siteOfFile`. */
export const SHORT_WINDOW = { MILLRACE_RETRY_WINDOW: '4s' };

/** Records whose first version `refused` is not rid of. */
export const REFUSED = 2;

/** Consumers of every kind on one endpoint, with a past. */
export interface Scene extends AsyncDisposable {
  receiver: TestReceiver;
  target: Target;
  /** Delivers everything. */
  healthy: Consumer;
  /** Has `REFUSED` dead letters. */
  refused: Consumer;
  /** Its endpoint was away for the whole window: stopped, with alerts. */
  stopped: Consumer;
  paused: Consumer;
}

/** Resolves once they have died and someone was stopped; the site must have a `SHORT_WINDOW`. */
export async function openScene(cluster: Cluster): Promise<Scene> {
  const receiver = await openReceiver((received, response) => {
    const isRefused =
      received.path.endsWith('/refused') && received.body.includes('"data":{"name":"poison"');
    if (received.path.endsWith('/down')) answer(503)(received, response);
    else if (isRefused) answer(422)(received, response);
    else accept(received, response);
  });
  await append(cluster, 1);
  await append(cluster, 2);
  const target = await cluster.request<Target>('POST', '/v1/targets', {
    name: 'Orders endpoint',
    base_url: receiver.url,
    credentials: { type: 'basic', username: 'millrace', password: 'secret-of-the-endpoint' },
  });
  const consumer = (name: string, path: string): Promise<Consumer> =>
    cluster.request('POST', '/v1/consumers', {
      name,
      path,
      target_id: target.id,
      stream: 'events',
      start: 'beginning',
    });
  const healthy = await consumer('Every change', '');
  const refused = await consumer('Refuses one', '/refused');
  const stopped = await consumer('Endpoint is away', '/down');
  const paused = await consumer('Paused by hand', '/paused');
  await cluster.request('POST', `/v1/consumers/${paused.id}/pause`);
  await until(
    async () => {
      const letters = await cluster.request<ListPage<unknown>>(
        'GET',
        `/v1/consumers/${refused.id}/dead-letters`,
      );
      return (
        letters.data.length === REFUSED && (await cluster.get(stopped.id)).status === 'stopped'
      );
    },
    { timeoutMs: 60_000, what: 'two entries die and a consumer stops' },
  );
  return {
    receiver,
    target,
    healthy,
    refused,
    stopped,
    paused,
    [Symbol.asyncDispose]: () => receiver[Symbol.asyncDispose](),
  };
}

/** Records of two syncs; a second version is an update, so that its event has changes. */
async function append(cluster: Cluster, version: number): Promise<void> {
  const records = Array.from({ length: 40 }, (_, n) => ({
    sync_id: n % 2 === 0 ? 'shop' : 'crm',
    collection_id: n % 2 === 0 ? 'stripe:charge' : 'hubspot:contact',
    upstream_id: `r-${n}`,
    data: { name: version === 1 && n < REFUSED ? 'poison' : `Record ${n}`, amount: n * version },
  }));
  await cluster.request('POST', '/v1/records', { records });
}
