import type { HttpBindings } from '@hono/node-server';
import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { isDatabaseAway } from '../db/errors.ts';
import { Cursor } from '../schema/consumer.ts';
import { CollectionId, SyncId, Timestamp } from '../schema/fields.ts';
import { EventType, StreamName } from '../schema/stream.ts';
import { cursorOf } from '../streams/cursor.ts';
import type { Page, PageRequest } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';
import type { StreamEnds } from '../streams/streamEnds.ts';
import type { AppEnv } from './env.ts';
import { ApiError, problemText } from './errors.ts';
import { refusalOf } from './permit.ts';
import { createRoutes, problems } from './route.ts';
import { needs } from './scopes.ts';
import { expired, GONE, openQueryCursor } from './streams.ts';

/** What `GET /v1/listen` needs. */
export interface ListenDeps {
  pages: Pages;
  ends: StreamEnds;
  /** The time without entries after which a heartbeat is sent, ms; 15 s by default. */
  heartbeatMs?: number;
}

const HEARTBEAT_MS = 15_000;
/** How long a listener should wait before it connects again, ms. */
const RETRY_MS = 1_000;
/** How long a listener whose permit has ended may take to read its last frame, ms. */
const CUT_MS = 2_000;
/** A listener that does not read occupies one page and one chunk of it in memory. */
const PAGE = { limit: 500, maxBytes: 1024 * 1024, scanRows: 20_000 };
const CHUNK_CHARACTERS = 64 * 1024;
const EVERYTHING = ['*'];

/**
 * `GET /v1/listen`: a stream as server-sent events (WHATWG HTML, 9.2), one frame per entry. The next page is
 * read when the socket has accepted the last one; at the end of the stream a listener waits without queries.
 * When the process shuts down, the answer ends between two frames.
 */
export function createListenRoutes(deps: ListenDeps): OpenAPIHono<AppEnv> {
  const { pages, ends, heartbeatMs = HEARTBEAT_MS } = deps;
  const app = createRoutes();

  app.openapi(LISTEN, async (c) => {
    const query = c.req.valid('query');
    if (query.stream === 'records' && query.event !== undefined) {
      throw badQuery('event', 'is only for the events stream');
    }
    if (query.after_cursor !== undefined && query.since !== undefined) {
      throw badQuery('since', "can't be combined with after_cursor");
    }
    const after = await startOf(query, c.req.header('last-event-id'));
    const request: PageRequest = {
      ...PAGE,
      stream: query.stream,
      after,
      filter: {
        syncs: query.sync_id ?? EVERYTHING,
        collections: query.collection_id ?? EVERYTHING,
        event_types: query.event ?? EVERYTHING,
      },
    };
    const first = await pages.read(request);
    if (after < first.first - 1) throw expired(query.stream, first.first);
    const permit = c.var.permit();
    const gone = new AbortController();
    let cutting: NodeJS.Timeout | undefined;
    const leave = (): void => {
      gone.abort();
      clearTimeout(cutting);
      permit[Symbol.dispose]();
    };
    permit.signal.addEventListener('abort', () => {
      cutting = setTimeout(() => cut(c), CUT_MS);
    });
    c.req.raw.signal.addEventListener('abort', leave, { once: true });
    const signal = AbortSignal.any([gone.signal, permit.signal]);
    const last = (): string => lastFrame(refusalOf(permit), c.var.requestId);
    return c.body(toStream(frames(request, first, { signal, last }), leave), 200, {
      'content-type': 'text/event-stream',
      'cache-control': 'no-store',
      'x-accel-buffering': 'no', // makes a proxy in front pass each frame on immediately
    });
  });

  async function* frames(
    request: PageRequest,
    first: Page,
    { signal, last }: { signal: AbortSignal; last: () => string },
  ): AsyncGenerator<string> {
    const { stream } = request;
    const isOver = (): boolean => ends.closed || signal.aborted;
    let page = first;
    let { after } = request;
    yield `retry: ${RETRY_MS}\nid: ${cursorOf(stream, after)}\n\n`;
    for (;;) {
      let chunk = '';
      for (const { position, body } of page.entries) {
        chunk += `id: ${cursorOf(stream, position)}\nevent: entry\ndata: ${body}\n\n`;
        after = position;
        if (chunk.length < CHUNK_CHARACTERS) continue;
        yield chunk;
        chunk = '';
        if (isOver()) break;
      }
      if (!isOver() && page.scannedTo > after) {
        after = page.scannedTo;
        chunk += `id: ${cursorOf(stream, after)}\n\n`; // the filter may have left out many entries
      }
      if (chunk !== '') yield chunk;
      while (!isOver() && after >= page.last) {
        if (await ends.beyond(stream, after, heartbeatMs, signal)) break;
        if (!isOver()) yield ': heartbeat\n\n';
      }
      if (isOver()) break;
      const next = await pages.read({ ...request, after }).catch(absent);
      if (next === null) break; // Postgres is away: the listener will connect again
      page = next;
      if (after < page.first - 1) break; // entries are gone: it gets a 410 when it connects again
    }
    yield last();
  }

  async function startOf(query: ListenQuery, lastEventId: string | undefined): Promise<number> {
    const { stream, since } = query;
    const cursor = lastEventId ?? query.after_cursor;
    if (cursor !== undefined && cursor !== 'end') return openQueryCursor(cursor, stream);
    if (cursor === undefined && since !== undefined) {
      if (since === 'beginning') {
        const { first } = await pages.read({ ...AT_END, stream });
        return first - 1;
      }
      if (since !== 'end') return pages.positionAtTime(stream, timeOf(since));
    }
    const { last } = await pages.read({ ...AT_END, stream });
    return last;
  }

  return app;
}

const AT_END = {
  after: Number.MAX_SAFE_INTEGER,
  filter: { syncs: EVERYTHING, collections: EVERYTHING, event_types: EVERYTHING },
  limit: 1,
  maxBytes: 1,
  scanRows: 1,
};

function absent(error: unknown): null {
  if (isDatabaseAway(error)) return null;
  throw error;
}

/** Cuts the connection of a listener that does not read, and so never reaches the end of its answer. */
function cut(c: Context<AppEnv>): void {
  // There is no outgoing message when the app is called without a server.
  const { outgoing } = (c.env ?? {}) as Partial<HttpBindings>;
  if (outgoing !== undefined && 'destroy' in outgoing) outgoing.destroy();
}

/** The last frame says why the answer ends if connecting again would not help, and otherwise when to do so. */
function lastFrame(refusal: ApiError | null, requestId: string): string {
  if (refusal === null || refusal.options.status === 503) return `retry: ${RETRY_MS}\n\n`;
  return `event: end\ndata: ${problemText(refusal.options, requestId)}\n\n`;
}

/** Frames are pulled, never pushed, so that nothing is read for a listener whose socket is full. */
function toStream(frames: AsyncGenerator<string>, leave: () => void): ReadableStream<Uint8Array> {
  const encoder = new TextEncoder();
  return new ReadableStream(
    {
      pull: async (controller) => {
        const next = await frames.next().catch((error: unknown) => {
          leave();
          throw error;
        });
        if (next.done === true) {
          leave();
          controller.close();
        } else controller.enqueue(encoder.encode(next.value));
      },
      cancel: async () => {
        leave();
        await frames.return(undefined);
      },
    },
    { highWaterMark: 0 },
  );
}

const UNITS = { s: 1_000, m: 60_000, h: 3_600_000, d: 86_400_000 };

/** Turns `90s`, `1h` or `2d` before now into a time; returns a time unchanged. */
function timeOf(since: string): string {
  const [, count, unit] = DURATION.exec(since) ?? [];
  if (count === undefined) return since;
  return new Date(Date.now() - Number(count) * UNITS[unit as keyof typeof UNITS]).toISOString();
}

function badQuery(name: string, detail: string): ApiError {
  return new ApiError({
    status: 400,
    code: 'invalid_query',
    detail: `/${name} ${detail}`,
    errors: [{ pointer: `/${name}`, detail }],
  });
}

const DURATION = /^(\d{1,6})([smhd])$/u;

/** A parameter that may be given several times. */
const several = <T extends z.ZodType<string>>(value: T) =>
  z
    .union([z.array(value).min(1).max(1_000), value.transform((one) => [one])])
    .optional()
    .meta({ type: 'array', items: { type: 'string' } });

const ListenQuery = z.strictObject({
  stream: StreamName.default('events'),
  sync_id: several(SyncId),
  collection_id: several(CollectionId),
  event: several(EventType),
  after_cursor: Cursor.optional().meta({ description: 'Exclusive; `end` for entries from now on' }),
  since: z
    .union([z.enum(['beginning', 'end']), z.string().regex(DURATION), Timestamp], {
      error: 'must be beginning, end, a duration such as 90s, 1h or 2d, or an RFC 3339 time',
    })
    .optional()
    .meta({ description: '`beginning`, `end` (the default), `1h` before now, or a time' }),
});
type ListenQuery = z.infer<typeof ListenQuery>;

const LISTEN = createRoute({
  tags: ['Streams'],
  security: needs('read'),
  method: 'get',
  path: '/v1/listen',
  summary: 'Follow a stream over server-sent events',
  description:
    'Each entry is a frame: `id:` its cursor, `event: entry`, `data:` the webhook body. A frame with only an `id:` moves the cursor past entries that the filter left out. After 15 s without a frame, a comment is sent. `Last-Event-ID` takes precedence over the query. Within 5 s of the end of its key, session or scope, the answer ends with the frame `event: end`, whose `data:` is the problem that the next request would get.',
  request: {
    query: ListenQuery,
    headers: z.object({
      'last-event-id': Cursor.optional().meta({ description: 'Continues after this cursor' }),
    }),
  },
  responses: {
    200: {
      content: { 'text/event-stream': { schema: z.string() } },
      description: 'Frames, until either side closes the connection',
    },
    ...problems(400, 422),
    ...GONE,
  },
});
