import type { OpenAPIHono } from '@hono/zod-openapi';
import { methodNotAllowed as refuseMethods } from 'hono/method-not-allowed';
import { requestId } from 'hono/request-id';

import type { Access } from '../access/access.ts';
import type { TestAlert } from '../alerts/testAlert.ts';
import type { Commands } from '../consumers/commands.ts';
import { untilTargetInForce } from '../consumers/untilTargetInForce.ts';
import type { Db } from '../db/db.ts';
import { newId } from '../db/ids.ts';
import type { Info } from '../schema/info.ts';
import type { Sources } from '../sources/sources.ts';
import type { Appender } from '../streams/append.ts';
import type { Targets } from '../targets/targets.ts';
import type { TestTarget } from '../targets/testTarget.ts';
import type { Overviews } from '../telemetry/overview.ts';
import { createAlertRoutes } from './alerts.ts';
import { createApiKeyRoutes } from './apiKeys.ts';
import { createAttemptRoutes } from './attempts.ts';
import { createGate } from './auth.ts';
import { JSON_BYTES } from './body.ts';
import { createCheckpointRoutes } from './checkpoints.ts';
import { createCommandRoutes } from './commands.ts';
import { createConsole } from './console.ts';
import { createConsumerMetricsRoutes } from './consumerMetrics.ts';
import { createConsumerRoutes } from './consumers.ts';
import { createDeadLetterRoutes } from './deadLetters.ts';
import { createDocs } from './docs.ts';
import type { AppEnv } from './env.ts';
import { createOnError, methodNotAllowed, notFound, type ErrorLog } from './errors.ts';
import { createGiveCommand } from './giveCommand.ts';
import { createIdempotent } from './idempotency.ts';
import { createInfoRoutes } from './info.ts';
import { createIngestRoutes } from './ingest.ts';
import { createListenRoutes } from './listen.ts';
import { createMetricsRoutes } from './metrics.ts';
import { serveDocument } from './openapi.ts';
import { createOverviewRoutes } from './overview.ts';
import { createParkedRoutes } from './parked.ts';
import { createPassRoutes } from './passes.ts';
import { createPreviewRoutes } from './preview.ts';
import { createProbeRoutes, type Check } from './probes.ts';
import { createRecordRoutes } from './record.ts';
import { createReference } from './reference.ts';
import { readBody, refuseOversized } from './requests.ts';
import { createRoutes } from './route.ts';
import { needsOf, type Needs } from './scopes.ts';
import { createSearchRoutes } from './search.ts';
import { createSessionRoutes } from './session.ts';
import { createSourceRoutes } from './sources.ts';
import { createStatusRoutes, type StatusRouteDeps } from './status.ts';
import type { Stores } from './stores.ts';
import { createStreamRoutes } from './streams.ts';
import { createSyncRoutes } from './syncs.ts';
import { createTargetReportRoutes } from './targetReports.ts';
import { createTargetRoutes } from './targets.ts';

export interface AppDeps {
  db: Db;
  stores: Stores;
  sources: Sources;
  targets: Targets;
  testTarget: TestTarget;
  testAlert: TestAlert;
  appender: Appender;
  access: Access;
  commands: Commands;
  /** The parts that `/readyz` waits for, by name. */
  checks: Record<string, Check>;
  /** Sentences about what needs an operator although the API is ready. */
  notes: () => Promise<string[]>;
  /** The parts that `/v1/status` checks, by name. */
  parts: StatusRouteDeps['parts'];
  figures: StatusRouteDeps['figures'];
  overviews: Overviews;
  info: Info;
  metrics: { text: () => Promise<string> };
  log: ErrorLog;
}

/** A request to sign in comes from an unknown caller, so its body has to be small. */
const SIGN_IN_BYTES = 4 * 1024;

/** The whole HTTP interface. It needs no port: `app.request(…)` answers as well. */
export function createApp(deps: AppDeps): OpenAPIHono<AppEnv> {
  const { db, stores, access } = deps;
  const { consumers } = stores;
  const app = createRoutes();
  app.onError(createOnError(deps.log));
  app.notFound(createConsole(notFound));
  app.use(requestId({ generator: newId }));
  app.use(refuseMethods({ app, onMethodNotAllowed: methodNotAllowed }));

  app.route('/', createProbeRoutes(deps));
  app.route('/', createReference());
  app.route('/', createDocs());

  let needed: Needs = new Map();
  const gate = createGate(access, () => needed);
  app.use(refuseOversized);
  app.use('/v1/*', gate);
  app.use('/metrics', gate);
  app.route('/', createMetricsRoutes(deps));
  // Before the limit: ingest streams NDJSON of any length and counts JSON itself.
  app.route('/', createIngestRoutes(deps));
  app.use(
    '/v1/*',
    readBody((path) => (path === '/v1/session' ? SIGN_IN_BYTES : JSON_BYTES)),
  );
  app.use('/v1/*', createIdempotent(access.idempotency, deps.log));

  const give = createGiveCommand({ commands: deps.commands, consumers });
  app.route('/', createStreamRoutes(stores));
  app.route('/', createRecordRoutes(stores));
  app.route('/', createListenRoutes(stores));
  app.route('/', createSyncRoutes(stores));
  app.route('/', createPassRoutes(stores));
  app.route('/', createCheckpointRoutes(stores));
  app.route('/', createSourceRoutes(deps));
  const untilInForce = (targetId: string): Promise<void> => untilTargetInForce(deps.db, targetId);
  app.route('/', createTargetRoutes({ ...deps, untilInForce }));
  app.route('/', createTargetReportRoutes({ ...deps, ...stores }));
  app.route('/', createPreviewRoutes(stores)); // before /v1/consumers/{id}
  app.route('/', createConsumerRoutes({ consumers, give }));
  app.route('/', createCommandRoutes({ consumers, give }));
  app.route('/', createDeadLetterRoutes({ ...stores, give }));
  app.route('/', createParkedRoutes(stores));
  app.route('/', createAttemptRoutes(stores));
  app.route('/', createAlertRoutes({ ...stores, testAlert: deps.testAlert }));
  app.route('/', createConsumerMetricsRoutes({ consumers, db }));
  app.route('/', createSearchRoutes(stores));
  app.route('/', createInfoRoutes({ info: deps.info, changes: stores.changes }));
  app.route('/', createStatusRoutes(deps));
  app.route('/', createOverviewRoutes(deps));
  app.route('/', createApiKeyRoutes(access));
  app.route('/', createSessionRoutes(access));
  serveDocument(app, deps.info.version);
  needed = needsOf(app);
  return app;
}
