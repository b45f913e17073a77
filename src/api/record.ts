import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { CollectionId, SyncId, UpstreamId } from '../schema/fields.ts';
import { StreamRecord } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import { isThere } from './asset.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import { createRoutes, json, problems } from './route.ts';
import { needs } from './scopes.ts';
import { bare } from './streams.ts';

/** `GET /v1/records/{sync_id}/{collection_id}/{upstream_id}`: one record as it is now, by its key. */
export function createRecordRoutes({ pages }: { pages: Pages }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(RECORD, async (c) => {
    const { sync_id: syncId, collection_id: collectionId, upstream_id } = c.req.valid('param');
    const entry = await pages.record({ syncId, collectionId, upstreamId: upstream_id });
    if (entry === null) throw unknownId('record', upstream_id);
    const etag = `"${entry.messageId}"`;
    if (isThere(c.req.header('if-none-match'), etag)) return c.body(null, 304, { etag });
    const headers = { 'content-type': 'application/json', etag };
    return c.body(bare(entry.body), 200, headers) as never; // text of the shape that is documented
  });

  return app;
}

const ETAG = {
  etag: { description: 'Its `version_id` in quotes', schema: { type: 'string' } },
} as const;

const RECORD = createRoute({
  tags: ['Streams'],
  security: needs('read'),
  method: 'get',
  path: '/v1/records/{sync_id}/{collection_id}/{upstream_id}',
  summary: 'Read one record',
  description:
    'The record as it is now, also if it is deleted. Each part of its key is percent-encoded. With the `etag` of an earlier ' +
    'answer in `If-None-Match`, a record that has not changed since is answered 304.',
  request: {
    params: z.object({ sync_id: SyncId, collection_id: CollectionId, upstream_id: UpstreamId }),
    headers: z.object({
      'if-none-match': z.string().optional().meta({
        description: 'The `etag` of an earlier answer, or several of them',
      }),
    }),
  },
  responses: {
    200: { ...json(StreamRecord, 'The record'), headers: ETAG },
    304: { description: 'It is still the version with this `etag`', headers: ETAG },
    ...problems(404),
  },
});
