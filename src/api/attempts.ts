import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import type { AttemptQuery, Attempts } from '../attempts/attempts.ts';
import type { AttemptWaits, AttemptWatch } from '../attempts/attemptWaits.ts';
import type { Consumers } from '../consumers/consumers.ts';
import type { ListPage } from '../db/keyset.ts';
import { Attempt, AttemptOutcome } from '../schema/attempt.ts';
import { UpstreamId } from '../schema/fields.ts';
import { needConsumer } from './consumers.ts';
import type { AppEnv } from './env.ts';
import { checkPermit } from './permit.ts';
import { createRoutes, IdParam, json, listFields, pageOf, problems, toList } from './route.ts';
import { needs } from './scopes.ts';
import { Moment, waitFor } from './timeQuery.ts';

/** What the routes of attempts need. */
export interface AttemptRoutesDeps {
  consumers: Pick<Consumers, 'streamOf'>;
  attempts: Attempts;
  attemptWaits: AttemptWaits;
}

/** The attempts of one consumer, and those of all consumers at one event. */
export function createAttemptRoutes(deps: AttemptRoutesDeps): OpenAPIHono<AppEnv> {
  const { consumers, attempts, attemptWaits: waits } = deps;
  const app = createRoutes();

  app.openapi(LIST, async (c) => {
    const { id } = c.req.valid('param');
    const stream = await needConsumer(consumers, id);
    const query = c.req.valid('query');
    using permit = c.var.permit();
    const page = await waitFor(
      query,
      { consumerId: id },
      AbortSignal.any([c.req.raw.signal, permit.signal]),
      () => attempts.list({ id, stream }, toQuery(query)),
    );
    checkPermit(permit);
    return c.json(toList(page), 200);
  });

  app.openapi(OF_EVENT, async (c) => {
    const query = c.req.valid('query');
    const position = query.wait_for === 0 ? null : await attempts.positionOf(query.event_id);
    const watched = position === null ? null : { position };
    using permit = c.var.permit();
    const page = await waitFor(
      query,
      watched,
      AbortSignal.any([c.req.raw.signal, permit.signal]),
      () => attempts.listEvent(query.event_id, toQuery(query)),
    );
    checkPermit(permit);
    return c.json(toList(page), 200);
  });

  /** Reads until a page is not empty or the time is over; between reads it waits without a query. */
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
      const isFirst = query.cursor === null; // new attempts never appear on later pages
      if (page.data.length > 0 || watched === null || !isFirst || left <= 0) return page;
      if (waits.closed || signal.aborted) return page;
      await waits.recorded(watched, left, signal);
    }
  }

  return app;
}

function toQuery(query: Query) {
  return { ...toAttemptQuery(query), sinceEnd: query.wait_for > 0 };
}

/** The filters and the page of a list of attempts, in the form that the store accepts. */
export function toAttemptQuery(query: z.infer<typeof AttemptsQuery>): AttemptQuery {
  const { outcome, status, since, until, event_id, batch_id, upstream_id, limit, cursor } = query;
  const which = { eventId: event_id, batchId: batch_id, upstreamId: upstream_id };
  const found = { outcome, status, since, until, ...which };
  const withTraces = query.include === 'trace';
  return { ...found, withTraces, limit, after: cursor };
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
      'Only attempts that started then or later: RFC 3339, or how long ago (15m). With `wait_for`, those that ended then or later',
  }),
  until: Moment.optional().meta({
    description: 'Only attempts that started before: RFC 3339, or how long ago (15m)',
  }),
  upstream_id: UpstreamId.optional().meta({
    description: 'Only attempts at this record, as long as its entry is in the stream',
  }),
  include: z.literal('trace').optional().meta({
    description: 'Adds the `trace` of each attempt: what was sent, what came back, and when',
  }),
  ...listFields,
};

const which = {
  event_id: EventId.optional(),
  batch_id: z.string().min(1).max(255).optional().meta({
    description:
      'Only attempts of this batch, by its `webhook-id`: one for each of its entries each time it was sent. Not together with `event_id`',
    example: 'batch_1042_5f2b7c0d9e1a4b6c8d3e2f10',
  }),
};
type Which = { event_id?: string | undefined; batch_id?: string | undefined };
const isOneOfThem = (query: Which): boolean =>
  query.event_id === undefined || query.batch_id === undefined;
const NOT_BOTH = { path: ['batch_id'], message: 'must not be given together with event_id' };

/** The query of a list of attempts of one or several consumers. */
export const AttemptsQuery = z.strictObject({ ...fields, ...which }).refine(isOneOfThem, NOT_BOTH);

const waiting = { wait_for: waitFor('attempt') };
const ConsumerQuery = z
  .strictObject({ ...fields, ...waiting, ...which })
  .refine(isOneOfThem, NOT_BOTH);
const EventQuery = z.strictObject({ ...fields, ...waiting, event_id: EventId });
type Query = z.infer<typeof ConsumerQuery>;

const about = { tags: ['Attempts'], security: needs('read'), method: 'get' as const };
/** How a list of attempts is read page by page. */
export const PAGES =
  'Newest first. One request reads at most 10,000 attempts, so a filtered page may be short or empty and still have a `next_cursor`. ';
const FOLLOWING =
  'With `wait_for`, the answer comes as soon as an attempt passes the filters. To follow, repeat the request with `since` one millisecond after the latest end so far (`started_at` + `duration_ms`): this includes every attempt that ends later, however long it took.';

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
  description: `${PAGES}Empty for an event that is no longer kept. ${FOLLOWING}`,
  request: { query: EventQuery },
  responses: { 200: json(pageOf(Attempt), 'A page of attempts'), ...problems(400) },
});
