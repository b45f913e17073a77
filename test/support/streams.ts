import type { OpenAPIHono } from '@hono/zod-openapi';
import { requestId } from 'hono/request-id';

import type { AppEnv } from '../../src/api/env.ts';
import { createOnError } from '../../src/api/errors.ts';
import { createIngestRoutes } from '../../src/api/ingest.ts';
import { createRoutes } from '../../src/api/route.ts';
import { createStreamRoutes } from '../../src/api/streams.ts';
import { createSyncRoutes } from '../../src/api/syncs.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { newId } from '../../src/db/ids.ts';
import { createListener, type Listener } from '../../src/db/listener.ts';
import { createAppender, type Appender } from '../../src/streams/append.ts';
import type { NewEvent, RecordChange } from '../../src/streams/derive.ts';
import { createPages, type Pages } from '../../src/streams/pages.ts';
import { createStreamEnds } from '../../src/streams/streamEnds.ts';
import { createSyncs } from '../../src/streams/syncs.ts';
import { createDatabase, PATIENT } from './database.ts';
import { lastingPermit } from './permit.ts';

export interface Streams extends AsyncDisposable {
  url: string;
  db: Db;
  appender: Appender;
  pages: Pages;
  listener: Listener;
  /** The stream routes alone, without keys. */
  app: OpenAPIHono<AppEnv>;
}

export const EVERYTHING = { syncs: ['*'], collections: ['*'], event_types: ['*'] };
export const silent = { info: () => undefined, warn: () => undefined, error: () => undefined };

/** A database of its own with all that the streams need, closed and dropped when it is disposed of. */
export async function openStreams(): Promise<Streams> {
  const database = await createDatabase();
  const { url } = database;
  const db = openDb({ url, ...PATIENT, onError: () => undefined });
  const appender = createAppender({ db, url, ...PATIENT, log: silent });
  const listener = createListener({ url, log: silent });
  const pages = createPages(db);
  const ends = createStreamEnds({ sql: db, listener, log: silent });
  const app = createRoutes();
  app.onError(createOnError(silent));
  app.use(requestId());
  app.use(lastingPermit);
  app.route('/', createIngestRoutes({ appender }));
  app.route('/', createStreamRoutes({ pages, ends }));
  app.route('/', createSyncRoutes({ syncs: createSyncs(db) }));
  return {
    url,
    db,
    appender,
    pages,
    listener,
    app,
    [Symbol.asyncDispose]: async () => {
      ends.close();
      await Promise.all([appender.close(), listener.close()]);
      await db.close();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** An event with defaults. */
export function anEvent(fields: Partial<NewEvent> = {}): NewEvent {
  return {
    eventId: newId(),
    event: 'created',
    syncId: 'sync',
    collectionId: 'stripe:customer',
    upstreamId: 'cus_1',
    data: '{"n":1}',
    changes: null,
    upstreamUpdatedAt: null,
    ...fields,
  };
}

/** A record change with defaults. */
export function aChange(fields: Partial<RecordChange> = {}): RecordChange {
  return {
    syncId: 'sync',
    collectionId: 'stripe:customer',
    upstreamId: 'cus_1',
    data: '{"n":1}',
    deleted: false,
    upstreamCreatedAt: undefined,
    upstreamUpdatedAt: undefined,
    ...fields,
  };
}

/** POSTs a JSON body as it stands. */
export function post(app: OpenAPIHono<AppEnv>, path: string, body: unknown): Promise<Response> {
  return Promise.resolve(
    app.request(path, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: typeof body === 'string' ? body : JSON.stringify(body),
    }),
  );
}
