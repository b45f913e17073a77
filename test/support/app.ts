import { randomBytes } from 'node:crypto';

import type { OpenAPIHono } from '@hono/zod-openapi';
import pino from 'pino';

import { createAccess, type Access, type AccessOptions } from '../../src/access/access.ts';
import { createTestAlert } from '../../src/alerts/testAlert.ts';
import { createApp, type AppDeps } from '../../src/api/app.ts';
import type { AppEnv } from '../../src/api/env.ts';
import { createStores, type Stores } from '../../src/api/stores.ts';
import { Unavailable } from '../../src/consumers/commands.ts';
import { openDb, type Db } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { createVault, type Vault } from '../../src/db/vault.ts';
import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createSources } from '../../src/sources/sources.ts';
import { createInspectDatabase, type InspectDatabase } from '../../src/sources/testDatabase.ts';
import { createAppender, type Appender } from '../../src/streams/append.ts';
import { createTargets } from '../../src/targets/targets.ts';
import { testTarget } from '../../src/targets/testTarget.ts';
import { readConsumerFigures } from '../../src/telemetry/consumerFigures.ts';
import { createMetrics } from '../../src/telemetry/metrics.ts';
import { createOverviews } from '../../src/telemetry/overview.ts';
import { createDatabase, PATIENT } from './database.ts';

export const KEY = 'test-key-0123456789';
/** Where the receivers of tests listen. */
export const LOOPBACK = ['127.0.0.0/8', '::1/128'];

/** Of this process, which watch it for as long as it lives. */
const METRICS = createMetrics();
const NOT_KEPT = { '1h': 0, '6h': 0, '24h': 0, '7d': 0, troubles: 0 };

export interface Answer {
  status: number;
  headers: Headers;
  // oxlint-disable-next-line typescript/no-explicit-any -- tests reach into answers of every shape
  body: any;
}

export interface TestApp extends AsyncDisposable {
  app: OpenAPIHono<AppEnv>;
  db: Db;
  appender: Appender;
  vault: Vault;
  access: Access;
  /** What was logged, as the text of its lines. */
  logged: string[];
  /** With the key; an object is sent as JSON, a string as it is. */
  request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer>;
}

/** The API with a database of its own. */
export interface OwnApp extends TestApp {
  databaseUrl: string;
}

/** What a test has in the place of parts of the API. */
export type AppOverrides = Partial<Omit<AppDeps, 'stores'> & Stores>;

/** How the API under test differs from others. */
export type AppSettings = Partial<AccessOptions> & {
  allowCidrs?: string[];
  /** In the place of looking at the databases of sources. */
  inspect?: InspectDatabase;
};

/** The API on a database of its own, which goes with it; otherwise as `openApp`. */
export async function openOwnApp(
  overrides: AppOverrides = {},
  settings: AppSettings = {},
): Promise<OwnApp> {
  const database = await createDatabase();
  const api = openApp(database.url, overrides, settings);
  return {
    ...api,
    databaseUrl: database.url,
    [Symbol.asyncDispose]: async () => {
      await api[Symbol.asyncDispose]();
      await database[Symbol.asyncDispose]();
    },
  };
}

/** The API on a database, without a port and without Temporal: commands answer as if it were away. */
export function openApp(
  databaseUrl: string,
  overrides: AppOverrides = {},
  { allowCidrs = LOOPBACK, inspect, ...settings }: AppSettings = {},
): TestApp {
  const logged: string[] = [];
  const log = pino({}, { write: (line: string) => void logged.push(line) });
  const db = openDb({
    url: databaseUrl,
    ...PATIENT,
    max: 4,
    onError: (error) => logged.push(error.message),
  });
  const appender = createAppender({ db, url: databaseUrl, ...PATIENT, log });
  const listener = createListener({ url: databaseUrl, log });
  const vault = createVault([{ id: 'test', key: randomBytes(32) }]);
  const access = createAccess({
    sql: db,
    vault,
    listener,
    log,
    bootstrapKey: KEY,
    requestsPerSecond: null,
    trustProxy: false,
    publicUrl: null,
    now: () => Date.now(),
    ...settings,
  });
  const egress = createEgress({ allowCidrs });
  const sockets = createDatabaseSockets({ allowCidrs });
  const stores = createStores({
    db,
    listener,
    region: 'us-west-2',
    alertsByDefault: true,
    eventRetentionMs: 30 * 86_400_000,
    log,
  });
  const app = createApp({
    db,
    stores: { ...stores, ...overrides },
    sources: createSources({
      db,
      vault,
      region: 'us-west-2',
      sockets,
      inspect: inspect ?? createInspectDatabase(sockets.open),
      removeMs: 500,
    }),
    targets: createTargets({ db, vault, egress }),
    testTarget: (target, messageId) =>
      testTarget(target, { egress, userAgent: 'Millrace/test', now: Date.now, messageId }),
    testAlert: createTestAlert({ sql: db, takenWithinMs: 1_000 }),
    appender,
    commands: { give: () => Promise.reject(new Unavailable('Temporal is away')) },
    access,
    checks: {},
    parts: {},
    figures: () => readConsumerFigures(db, 20),
    overviews: createOverviews({ sql: db, retryWindowMs: 86_400_000, keptMs: NOT_KEPT }),
    notes: () => Promise.resolve([]),
    info: {
      version: '0.0.0-test',
      region: 'us-west-2',
      retry_window: '24h',
      retention: { events: '30d', attempts: '7d' },
      temporal: {
        address: '127.0.0.1:7233',
        namespace: 'default',
        ui_url: 'http://127.0.0.1:8233',
      },
      dev_receiver_url: null,
      dev_outbox: false,
    },
    metrics: METRICS,
    log,
    ...overrides,
  });

  async function request(
    method: string,
    path: string,
    body?: unknown,
    headers?: Record<string, string>,
  ): Promise<Answer> {
    const sent = new Headers({ authorization: `Bearer ${KEY}` });
    if (body !== undefined) sent.set('content-type', 'application/json');
    new Headers(headers).forEach((value, name) => sent.set(name, value));
    const isRaw = typeof body === 'string' || body instanceof Uint8Array;
    const text = isRaw ? (body as string | Uint8Array<ArrayBuffer>) : JSON.stringify(body);
    const response = await app.request(path, {
      method,
      headers: sent,
      ...(body === undefined ? {} : { body: text }),
    });
    const answer = await response.text();
    const isJson = response.headers.get('content-type')?.includes('json') === true;
    return {
      status: response.status,
      headers: response.headers,
      body: isJson ? JSON.parse(answer) : answer,
    };
  }

  async function dispose(): Promise<void> {
    stores.close();
    await appender.close();
    await access[Symbol.asyncDispose]();
    await listener.close();
    await db.close();
  }

  return {
    app,
    access,
    db,
    appender,
    vault,
    logged,
    request,
    [Symbol.asyncDispose]: dispose,
  };
}
