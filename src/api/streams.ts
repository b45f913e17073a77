import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { Refusal } from '../db/refusal.ts';
import { CollectionId, SyncId } from '../schema/fields.ts';
import { EventType, StreamEvent, StreamRecord, type StreamName } from '../schema/stream.ts';
import { cursorOf, openCursor } from '../streams/cursor.ts';
import type { Entry, Page, PageRequest } from '../streams/entry.ts';
import type { OlderPage } from '../streams/older.ts';
import type { Pages } from '../streams/pages.ts';
import type { StreamEnds } from '../streams/streamEnds.ts';
import type { AppEnv } from './env.ts';
import { ApiError, unknownId } from './errors.ts';
import { checkPermit } from './permit.ts';
import { createRoutes, json, problems } from './route.ts';
import { needs } from './scopes.ts';
import { waitFor } from './timeQuery.ts';
import { invalid } from './validation.ts';

export interface StreamDeps {
  pages: Pages;
  ends: StreamEnds;
}

const PAGE = { maxBytes: 8 * 1024 * 1024, scanRows: 20_000 };

/** `GET /v1/records`, `GET /v1/events` and one event: bodies are the stored text, not serialized again. */
export function createStreamRoutes({ pages, ends }: StreamDeps): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(RECORDS, (c) => list(c, 'records', c.req.valid('query')));
  app.openapi(EVENTS, (c) => list(c, 'events', c.req.valid('query')));

  app.openapi(EVENT, async (c) => {
    const { event_id } = c.req.valid('param');
    const entry = await pages.event(event_id);
    if (entry === null) throw unknownId('event', event_id);
    return c.body(bare(entry.body), 200, JSON_TYPE) as never; // text of the shape that is documented
  });

  async function list(c: Context<AppEnv>, stream: StreamName, query: ListQuery): Promise<never> {
    if (query.before_cursor !== undefined) {
      const { entries, reachedTo } = await readBack(stream, query, query.before_cursor);
      return answer(c, stream, entries, reachedTo);
    }
    using permit = c.var.permit();
    const start = await startOf(stream, query.after_cursor);
    const page = await readOn(
      {
        stream,
        after: start ?? 0,
        filter: {
          syncs: query.sync_id === undefined ? ['*'] : [query.sync_id],
          collections: query.collection_id === undefined ? ['*'] : [query.collection_id],
          event_types: query.event === undefined ? ['*'] : [query.event],
        },
        ...(query.provider === undefined ? {} : { provider: query.provider }),
        limit: query.limit,
        ...PAGE,
      },
      query.wait_for,
      start !== null,
      AbortSignal.any([c.req.raw.signal, permit.signal]),
    );
    checkPermit(permit);
    return answer(c, stream, page.entries, page.scannedTo);
  }

  async function readBack(
    stream: StreamName,
    query: ListQuery,
    cursor: string,
  ): Promise<OlderPage> {
    if (query.after_cursor !== undefined || query.wait_for > 0) {
      const detail = "can't be used with after_cursor or wait_for";
      throw invalid('query', [{ pointer: '/before_cursor', detail }]);
    }
    return pages.older({
      stream,
      before: cursor === 'end' ? Number.MAX_SAFE_INTEGER : openQueryCursor(cursor, stream),
      syncId: query.sync_id,
      collectionId: query.collection_id,
      provider: query.provider,
      event: query.event,
      limit: query.limit,
      ...PAGE,
    });
  }

  /** Null: from whatever is first. */
  async function startOf(stream: StreamName, cursor: string | undefined): Promise<number | null> {
    if (cursor === undefined) return null;
    if (cursor !== 'end') return openQueryCursor(cursor, stream);
    const { last } = await pages.read({
      ...PAGE,
      stream,
      after: Number.MAX_SAFE_INTEGER,
      filter: { syncs: ['*'], collections: ['*'], event_types: ['*'] },
      limit: 1,
    });
    return last;
  }

  /** Reads pages until one holds an entry or `waitMs` are over; waits without a query at the stream's end. */
  async function readOn(
    request: PageRequest,
    waitMs: number,
    isCursor: boolean,
    signal: AbortSignal,
  ): Promise<Page> {
    const until = performance.now() + waitMs;
    let after = request.after;
    for (;;) {
      const page = await pages.read({ ...request, after });
      if (isCursor && after < page.first - 1) throw expired(request.stream, page.first);
      after = page.scannedTo;
      const left = until - performance.now();
      if (page.entries.length > 0 || left <= 0 || signal.aborted || ends.closed) return page;
      if (after >= page.last) await ends.beyond(request.stream, after, left, signal);
    }
  }

  return app;
}

function answer(
  c: Context<AppEnv>,
  stream: StreamName,
  entries: readonly Entry[],
  position: number,
): never {
  const bodies = entries.map(({ body }) => bare(body)).join(',');
  const text = `{"${stream}":[${bodies}],"cursor":"${cursorOf(stream, position)}"}`;
  return c.body(text, 200, JSON_TYPE) as never; // text of the shape that is documented
}

const JSON_TYPE = { 'content-type': 'application/json' };

/** `{"event":{…}}` without its wrapper. */
export function bare(body: string): string {
  return body.slice(body.indexOf(':') + 1, -1);
}

/** In a query, a cursor that is none is malformed (400); the other stream's is unprocessable (422). */
export function openQueryCursor(cursor: string, stream: StreamName): number {
  try {
    return openCursor(cursor, stream);
  } catch (error) {
    if (error instanceof Refusal && error.options.code === 'invalid_cursor') {
      throw new ApiError({ status: 400, code: error.options.code, detail: error.message });
    }
    throw error;
  }
}

/** The 410 of a cursor before the first entry that is left. */
export function expired(stream: StreamName, first: number): ApiError {
  return new ApiError({
    status: 410,
    code: 'cursor_expired',
    detail: 'Entries after the cursor were dropped by the retention',
    extra: { oldest_cursor: cursorOf(stream, first - 1) },
  });
}

const fields = {
  sync_id: SyncId.optional(),
  provider: z
    .string()
    .min(1)
    .max(255)
    .optional()
    .meta({ description: 'The part of a collection before the colon' }),
  collection_id: CollectionId.optional(),
  after_cursor: z
    .string()
    .max(512)
    .optional()
    .meta({ description: 'Exclusive; `end` for what is appended from now on' }),
  before_cursor: z
    .string()
    .max(512)
    .optional()
    .meta({
      description:
        'Reads backwards, newest first, what was appended before this cursor; `end` for the newest entries. `cursor` in ' +
        "the answer leads to the next older page. Can't be used with `after_cursor` or `wait_for`",
    }),
  limit: z.coerce.number().int().min(1).max(1000).default(100),
  wait_for: waitFor('entry'),
};
const RecordsQuery = z.strictObject(fields);
const EventsQuery = z.strictObject({ ...fields, event: EventType.optional() });
type ListQuery = z.infer<typeof RecordsQuery> & Pick<z.infer<typeof EventsQuery>, 'event'>;

const about = { tags: ['Streams'], security: needs('read'), method: 'get' as const };
const afterwards = '`cursor` in the answer is the last position that was read.';
/** The 410 that `expired` makes, for `createRoute`. */
export const GONE = {
  410: {
    content: problems(410)['410']!.content,
    description: '`cursor_expired`; `oldest_cursor` is where the entries that are kept begin',
  },
};

const RECORDS = createRoute({
  ...about,
  path: '/v1/records',
  summary: 'Read the records stream',
  description: `The latest version of each record, in the order of their last changes. ${afterwards}`,
  request: { query: RecordsQuery },
  responses: {
    200: json(z.object({ records: z.array(StreamRecord), cursor: z.string() }), 'A page'),
    ...problems(400, 422),
    ...GONE,
  },
});

const EVENTS = createRoute({
  ...about,
  path: '/v1/events',
  summary: 'Read the events stream',
  description: `Every change, in order. ${afterwards}`,
  request: { query: EventsQuery },
  responses: {
    200: json(z.object({ events: z.array(StreamEvent), cursor: z.string() }), 'A page'),
    ...problems(400, 422),
    ...GONE,
  },
});

const EVENT = createRoute({
  ...about,
  path: '/v1/events/{event_id}',
  summary: 'Read one event',
  request: { params: z.object({ event_id: z.string().min(1).max(255) }) },
  responses: { 200: json(StreamEvent, 'The event'), ...problems(404) },
});
