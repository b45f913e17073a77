import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { Metadata, SyncId, SyncName } from '../schema/fields.ts';
import { Collection, Sync } from '../schema/stream.ts';
import type { Listing, SyncPlace, Syncs } from '../streams/syncs.ts';
import type { AppEnv } from './env.ts';
import { createRoutes, json, jsonBody, listFields, pageOf, problems } from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/syncs` and `/v1/collections`: those that occur in the streams, with counts up to now. */
export function createSyncRoutes({ syncs }: { syncs: Syncs }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(LIST, async (c) => {
    const { limit, cursor } = c.req.valid('query');
    await syncs.rollUp();
    return c.json(toPage(await syncs.list({ limit, after: cursor })), 200);
  });

  app.openapi(PUT, async (c) => {
    const { name, metadata } = c.req.valid('json');
    await syncs.rollUp();
    const fields = {
      ...(name === undefined ? {} : { name }),
      ...(metadata === undefined ? {} : { metadata }),
    };
    return c.json(await syncs.put(c.req.valid('param').sync_id, fields), 200);
  });

  app.openapi(COLLECTIONS, async (c) => {
    const { limit, cursor, sync_id } = c.req.valid('query');
    await syncs.rollUp();
    const page = await syncs.collections({ syncId: sync_id ?? null, limit, after: cursor });
    return c.json(toPage(page), 200);
  });

  return app;
}

function toPage<T>({ data, next }: Listing<T>): { data: T[]; next_cursor: string | null } {
  const text = next === null ? null : Buffer.from(JSON.stringify(next)).toString('base64url');
  return { data, next_cursor: text };
}

const ParsedPlace = z.tuple(
  [z.string().regex(/^(-infinity|\d{4}-\d\d-\d\d \d\d:\d\d:\d\d(\.\d{1,6})?\+00)$/u), z.string()],
  z.string(),
);

/** These lists are sorted by their last change, so a cursor is a time and the ids. */
const cursor = z
  .string()
  .max(4096)
  .optional()
  .meta({ description: '`next_cursor` of the previous page' })
  .transform((text, c): SyncPlace | null => {
    if (text === undefined) return null;
    try {
      return ParsedPlace.parse(JSON.parse(Buffer.from(text, 'base64url').toString('utf8')));
    } catch {
      c.addIssue({ code: 'custom', message: 'is not a cursor of this list' });
      return z.NEVER;
    }
  });

const about = { tags: ['Streams'] };
const { limit } = listFields;

const LIST = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/syncs',
  summary: 'List the syncs that were seen or named, newest first',
  request: { query: z.strictObject({ limit, cursor }) },
  responses: { 200: json(pageOf(Sync), 'A page of syncs'), ...problems(400) },
});

const PUT = createRoute({
  ...about,
  method: 'put',
  security: needs('manage'),
  path: '/v1/syncs/{sync_id}',
  summary: 'Name a sync',
  description:
    'Sets the given fields and keeps the others. The sync need not exist in the streams yet.',
  request: {
    params: z.object({ sync_id: SyncId }),
    body: jsonBody(
      z.strictObject({
        name: SyncName.nullable().optional(),
        metadata: Metadata.optional(),
      }),
    ),
  },
  responses: { 200: json(Sync, 'The sync'), ...problems(400, 413, 415, 422) },
});

const COLLECTIONS = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/collections',
  summary: 'List the collections that were seen, newest first',
  request: { query: z.strictObject({ limit, cursor, sync_id: SyncId.optional() }) },
  responses: { 200: json(pageOf(Collection), 'A page of collections'), ...problems(400) },
});
