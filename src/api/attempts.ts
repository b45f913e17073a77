import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { Attempts } from '../attempts/attempts.ts';
import type { AttemptWaits, AttemptWatch } from '../attempts/attemptWaits.ts';
import type { Consumers } from '../consumers/consumers.ts';
import type { ListPage } from '../db/keyset.ts';
import { Attempt, AttemptOutcome } from '../schema/attempt.ts';
import { UpstreamId } from '../schema/fields.ts';
import { needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, IdParam, json, listFields, pageOf, problems, toList } from './route.ts';
import { needs } from './scopes.ts';
import { Moment } from './timeQuery.ts';

export interface AttemptRoutesDeps {
  consumers: Pick<Consumers, 'streamOf'>;
  attempts: Attempts;
  attemptWaits: AttemptWaits;
}

/** What was tried: of one consumer, and at one event by all of them. */
export function createAttemptRoutes(deps: AttemptRoutesDeps): OpenAPIHono<AppEnv> {
  const { consumers, attempts, attemptWaits: waits } = deps;
  const app = createRoutes();

  app.openapi(LIST, async (c) => {
    const { id } = c.req.valid('param');
    const stream = await needConsumer(consumers, id);
    const query = c.req.valid('query');
    const page = await waitFor(query, { consumerId: id }, c.req.raw.signal, () =>
      attempts.list({ id, stream }, toQuery(query)),
    );
    return c.json(toList(page), 200);
  });

  app.openapi(OF_EVENT, async (c) => {
    const query = c.req.valid('query');
    const position = query.wait_for === 0 ? null : await attempts.positionOf(query.event_id);
    const watched = position === null ? null : { position };
    const page = await waitFor(query, watched, c.req.raw.signal, () =>
      attempts.listEvent(query.event_id, toQuery(query)),
    );
    return c.json(toList(page), 200);
  });

  /** Reads until there is something or the time is over; waits without a query of its own. */
  async function waitFor(
    query: Query,
    watched: AttemptWatch | null,
    signal: AbortSignal,
    read: () => Promise<ListPage<Attempt>>,
  ): Promise<ListPage<Attempt>> {
    const until = performance.now() + query.wait_for;
    for (;;) {
      const page = await read();
      const left = until - performance.now();
      const isFirst = query.cursor === null; // what comes later is no part of the pages after it
      if (page.data.length > 0 || watched === null || !isFirst || left <= 0) return page;
      if (waits.closed || signal.aborted) return page;
      await waits.recorded(watched, left, signal);
    }
  }

  return app;
}

function toQuery(query: Query) {
  const { outcome, status, since, until, event_id, upstream_id, limit, cursor } = query;
  const found = { outcome, status, since, until, eventId: event_id, upstreamId: upstream_id };
  return { ...found, sinceEnd: query.wait_for > 0, limit, after: cursor };
}

const EventId = z.string().min(1).max(255);

const fields = {
  outcome: AttemptOutcome.optional(),
  status: z.coerce
    .number()
    .int()
    .min(100)
    .max(599)
    .optional()
    .meta({ description: 'HTTP status of the answer', example: 503 }),
  since: Moment.optional().meta({
    description:
      'Begun then or later: RFC 3339, or how long ago (15m). With `wait_for`, ended then or later',
  }),
  until: Moment.optional().meta({ description: 'Begun before: RFC 3339, or how long ago (15m)' }),
  upstream_id: UpstreamId.optional().meta({
    description: 'Of one record, as long as its entry is in the stream',
  }),
  wait_for: z.coerce
    .number()
    .int()
    .min(0)
    .max(30_000)
    .default(0)
    .meta({ description: 'How long to wait for the first attempt, ms' }),
  ...listFields,
};
const ConsumerQuery = z.strictObject({ ...fields, event_id: EventId.optional() });
const EventQuery = z.strictObject({ ...fields, event_id: EventId });
type Query = z.infer<typeof ConsumerQuery>;

const about = { tags: ['Attempts'], security: needs('read'), method: 'get' as const };
const PAGES =
  'Newest first. One request looks at 10,000 attempts: a filtered page may be short or empty and still have a `next_cursor`. ';
const FOLLOWING =
  '`wait_for` answers as soon as an attempt passes the filters. To follow, ask again with `since` one millisecond after the newest end seen (`started_at` + `duration_ms`): what ends later is not missed, however long it took.';

const LIST = createRoute({
  ...about,
  path: '/v1/consumers/{id}/attempts',
  summary: 'List the attempts of a consumer',
  description: PAGES + FOLLOWING,
  request: { params: IdParam, query: ConsumerQuery },
  responses: { 200: json(pageOf(Attempt), 'A page of attempts'), ...problems(400, 404) },
});

const OF_EVENT = createRoute({
  ...about,
  path: '/v1/attempts',
  summary: 'List the attempts at one event, of all consumers',
  description: `${PAGES}Empty for an event that is not kept. ${FOLLOWING}`,
  request: { query: EventQuery },
  responses: { 200: json(pageOf(Attempt), 'A page of attempts'), ...problems(400) },
});
