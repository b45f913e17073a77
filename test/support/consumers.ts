import { newId } from '../../src/db/ids.ts';
import type { NewEvent } from '../../src/streams/derive.ts';
import { openOwnApp, type Answer, type AppOverrides, type OwnApp } from './app.ts';

export interface ConsumersApi extends AsyncDisposable {
  api: OwnApp;
  databaseUrl: string;
  targetId: string;
  /** Appends events of a sync; returns the last one's position. */
  append(syncId: string, count?: number): Promise<number>;
  /** Of the target, on the events stream unless `fields` says otherwise. */
  create(fields?: object): Promise<Answer['body']>;
  read(id: string): Promise<Answer['body']>;
  /** What its sender or the leader would write. */
  setCursor(id: string, set: string): Promise<void>;
}

/** The API on a database of its own with one target. */
export async function openConsumersApi(overrides: AppOverrides = {}): Promise<ConsumersApi> {
  const api = await openOwnApp(overrides);
  const { id: targetId } = await request('POST', '/v1/targets', {
    name: 'one',
    base_url: 'https://example.com/hooks',
  });

  async function append(syncId: string, count = 1): Promise<number> {
    const event = (): NewEvent => ({
      eventId: newId(),
      event: 'created',
      syncId,
      collectionId: 'a:b',
      upstreamId: newId(),
      data: '{}',
      changes: null,
      upstreamUpdatedAt: null,
    });
    const { position } = await api.appender.events(Array.from({ length: count }, event));
    return position;
  }

  async function request(method: string, path: string, body?: object): Promise<Answer['body']> {
    const answer = await api.request(method, path, body);
    if (answer.status < 300) return answer.body;
    throw new Error(`${method} ${path}: ${JSON.stringify(answer.body)}`);
  }

  return {
    api,
    databaseUrl: api.databaseUrl,
    targetId,
    append,
    create: (fields = {}) =>
      request('POST', '/v1/consumers', {
        name: 'orders',
        target_id: targetId,
        stream: 'events',
        ...fields,
      }),
    read: (id) => request('GET', `/v1/consumers/${id}`),
    setCursor: async (id, set) => {
      const text = `update cursors set ${set} where consumer_id = $1`;
      await api.db.query({ text, values: [id] });
    },
    [Symbol.asyncDispose]: () => api[Symbol.asyncDispose](),
  };
}
