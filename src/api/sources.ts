import { createRoute, z, type OpenAPIHono } from '@hono/zod-openapi';

import { text } from '../schema/fields.ts';
import {
  ForgottenSource,
  Source,
  SourceDraft,
  SourceInput,
  SourcePatch,
  SourceProblem,
  SourceSnapshot,
  SourceTest,
} from '../schema/source.ts';
import type { Sources } from '../sources/sources.ts';
import type { AppEnv } from './env.ts';
import { unknownId } from './errors.ts';
import {
  createRoutes,
  IdParam,
  json,
  jsonBody,
  listFields,
  ListQuery,
  pageOf,
  problems,
  takesOnly,
  toList,
} from './route.ts';
import { needs } from './scopes.ts';

/** `/v1/sources`. */
export function createSourceRoutes({ sources }: { sources: Sources }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.openapi(TEST_DRAFT, async (c) => c.json(await sources.testDraft(c.req.valid('json')), 200));
  takesOnly(app, TEST_DRAFT.path, 'POST');

  app.openapi(CREATE, async (c) => {
    const source = await sources.create(c.req.valid('json'), c.var.seed);
    return c.json(source, 201, { location: `/v1/sources/${source.id}` });
  });

  app.openapi(LIST, async (c) => {
    const { cursor, ...query } = c.req.valid('query');
    return c.json(toList(await sources.list({ ...query, after: cursor })), 200);
  });

  app.openapi(GET, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(known(id, await sources.get(id)), 200);
  });

  app.openapi(PATCH, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(known(id, await sources.patch(id, c.req.valid('json'))), 200);
  });

  app.openapi(DELETE, async (c) => {
    const { id } = c.req.valid('param');
    if (c.req.valid('query').forget === 'true') {
      return c.json(known(id, await sources.forget(id)), 200);
    }
    const left = known(id, await sources.remove(id));
    return left === 'deleted' ? c.body(null, 204) : c.json(left, 202);
  });

  app.openapi(PAUSE, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(known(id, await sources.pause(id)), 200);
  });

  app.openapi(RESUME, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(known(id, await sources.resume(id)), 200);
  });

  app.openapi(SNAPSHOT, async (c) => {
    const { id } = c.req.valid('param');
    const wanted = SourceSnapshot.parse(c.req.valid('json')); // no body: {}
    return c.json(known(id, await sources.snapshot(id, wanted)), 200);
  });

  app.openapi(TEST, async (c) => {
    const { id } = c.req.valid('param');
    return c.json(known(id, await sources.test(id)), 200);
  });

  app.openapi(PROBLEMS, async (c) => {
    const { id } = c.req.valid('param');
    const { cursor: after, limit } = c.req.valid('query');
    return c.json(toList(known(id, await sources.problems(id, { after, limit }))), 200);
  });

  return app;
}

function known<T>(id: string, found: T | null): T {
  if (found === null) throw unknownId('source', id);
  return found;
}

const about = { tags: ['Sources'] };
const path = '/v1/sources/{id}';

const CREATE = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/sources',
  summary: 'Follow a database',
  description:
    'Its tables are read, and then every change in them is appended as a record of the collection ' +
    '`postgres:schema.table`. The database is looked at first: where something would fail, the answer is 422 ' +
    '`source_refused` with `findings`, each with what to do, and nothing is changed in it. Otherwise a worker creates ' +
    'a publication of these tables and a replication slot in it, whose names are in the answer.',
  request: { body: jsonBody(SourceInput) },
  responses: { 201: json(Source, 'The source'), ...problems(400, 409, 413, 415, 422) },
});

const LIST = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: '/v1/sources',
  summary: 'List sources, newest first',
  request: {
    query: z.strictObject({
      q: text(2048).optional().meta({
        description: 'Part of its name, its URL without the password, or its id, in any case',
      }),
      ...listFields,
    }),
  },
  responses: { 200: json(pageOf(Source), 'A page of sources'), ...problems(400) },
});

const GET = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path,
  summary: 'Read a source',
  request: { params: IdParam },
  responses: { 200: json(Source, 'The source'), ...problems(404) },
});

const PATCH = createRoute({
  ...about,
  method: 'patch',
  security: needs('manage'),
  path,
  summary: 'Change a source',
  description:
    'Replaces the given fields. What is new of the URL, the certificates and the tables is looked at first, as when a ' +
    'source is created. A URL with its password masked keeps the stored one, unless its host, port or sslmode ' +
    'changes. It must lead to the same database: another one is a source of its own. A table that is added is read; ' +
    'the records of one that is removed stay as they are. A source that has failed goes on. Of one that is being ' +
    'deleted, only `url` and `ca` can be changed.',
  request: { params: IdParam, body: jsonBody(SourcePatch) },
  responses: { 200: json(Source, 'The source'), ...problems(400, 404, 409, 413, 415, 422) },
});

const DELETE = createRoute({
  ...about,
  method: 'delete',
  security: needs('manage'),
  path,
  summary: 'Delete a source',
  description:
    'A worker drops its slot and its publication, and then the source is deleted; its records stay. Waits 10 s for ' +
    'that. With `forget=true` it is deleted without reaching its database, for one that is gone; where it is not, run ' +
    'the statements in the answer there, because the slot keeps its log until it is dropped.',
  request: {
    params: IdParam,
    query: z.strictObject({
      forget: z
        .enum(['true', 'false'])
        .optional()
        .meta({ description: 'Whether to delete it without reaching its database' }),
    }),
  },
  responses: {
    200: json(ForgottenSource, 'Deleted with `forget=true`: what may be left in its database'),
    202: json(Source, 'It is still to be deleted, once its database is reached'),
    204: { description: 'Deleted' },
    ...problems(400, 404),
  },
});

const PAUSE = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: `${path}/pause`,
  summary: 'Stop following a source',
  description:
    'Nothing is lost: its slot keeps the log of its database meanwhile, which grows there until it is resumed. ' +
    'Without effect when it is paused.',
  request: { params: IdParam },
  responses: { 200: json(Source, 'The source'), ...problems(404, 409) },
});

const RESUME = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: `${path}/resume`,
  summary: 'Go on following a source',
  description: 'From where it was, also after a failure. Without effect when it is active.',
  request: { params: IdParam },
  responses: { 200: json(Source, 'The source'), ...problems(404, 409) },
});

const SNAPSHOT = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: `${path}/snapshot`,
  summary: 'Read tables anew',
  description:
    'While their changes go on being followed. Rows that are equal to their records append nothing, and records that ' +
    'have no row any more are deleted: where that is more than a fifth of them, the table asks first (`asking`) ' +
    'unless `confirm` is true. For a table that asks, `confirm` is the answer.',
  request: { params: IdParam, body: { ...jsonBody(SourceSnapshot), required: false } },
  responses: { 200: json(Source, 'The source'), ...problems(400, 404, 409, 413, 415, 422) },
});

const TEST = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: `${path}/test`,
  summary: 'Look at the database of a source',
  description:
    'Connects to it and says what would fail, and which other tables there are. Changes nothing in it. 409 ' +
    '`source_unreadable` when the stored URL can not be read.',
  request: { params: IdParam },
  responses: { 200: json(SourceTest, 'What was found'), ...problems(404, 409, 422) },
});

const TEST_DRAFT = createRoute({
  ...about,
  method: 'post',
  security: needs('manage'),
  path: '/v1/sources/test',
  summary: 'Look at a database that is not a source',
  description:
    'Connects to it and says what would keep it, and the tables that are named, from being followed, and which tables ' +
    'there are. Changes nothing in it.',
  request: { body: jsonBody(SourceDraft) },
  responses: { 200: json(SourceTest, 'What was found'), ...problems(400, 413, 415, 422) },
});

const PROBLEMS = createRoute({
  ...about,
  method: 'get',
  security: needs('read'),
  path: `${path}/problems`,
  summary: 'List rows that could not be turned into records',
  description:
    'Counted by table and reason, the newest reason first. What follows such a row is appended all the same.',
  request: { params: IdParam, query: ListQuery },
  responses: { 200: json(pageOf(SourceProblem), 'A page of problems'), ...problems(400, 404) },
});
