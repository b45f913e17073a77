import { z, type OpenAPIHono, type RouteConfig } from '@hono/zod-openapi';
import type { Context } from 'hono';

import { CheckpointInput } from '../schema/checkpoint.ts';
import { EventInput, EventsAppended, RecordInput, RecordsAppended } from '../schema/stream.ts';
import type { Appender } from '../streams/append.ts';
import type { Places } from '../streams/recordAppend.ts';
import { RefusedEntry } from '../streams/refusedEntry.ts';
import { chunksOf, mediaOf, readJson } from './body.ts';
import { readCheckpoint, readList, toNewEvent, toRecordChange, type ToRow } from './entries.ts';
import type { AppEnv } from './env.ts';
import { ingestLines } from './ndjson.ts';
import { whilePermitted } from './permit.ts';
import { TraceparentHeader, withinRequest, type Traceable } from './requestTrace.ts';
import { createRoutes, json, problems } from './route.ts';
import { needs } from './scopes.ts';
import { invalid } from './validation.ts';

interface Ingest<Row, Answer> {
  list: string;
  toRow: ToRow<Row>;
  append: (rows: Row[], places?: Pick<Places, 'checkpoints'>) => Promise<Answer>;
  /** Whether a JSON request may have a checkpoint. */
  hasCheckpoint: boolean;
  add: (sum: Answer, next: Answer) => Answer;
}

/**
 * `POST /v1/records` and `POST /v1/events`. Bodies are read and parsed here rather than by the router,
 * whose JSON rounds numbers and whose limit does not know NDJSON.
 */
export function createIngestRoutes({ appender }: { appender: Appender }): OpenAPIHono<AppEnv> {
  const app = createRoutes();

  app.post(RECORDS.path, (c) =>
    ingest(c, {
      list: 'records',
      toRow: toRecordChange,
      append: appender.records,
      hasCheckpoint: true,
      add: addRecords,
    }),
  );
  app.openAPIRegistry.registerPath(RECORDS);

  app.post(EVENTS.path, (c) =>
    ingest(c, {
      list: 'events',
      toRow: toNewEvent,
      append: appender.events,
      hasCheckpoint: false,
      add: addEvents,
    }),
  );
  app.openAPIRegistry.registerPath(EVENTS);

  return app;
}

async function ingest<Row extends Traceable, Answer extends object>(
  c: Context<AppEnv>,
  { list, append, hasCheckpoint, add, ...ways }: Ingest<Row, Answer>,
): Promise<Response> {
  const toRow = withinRequest(c, ways.toRow);
  if (mediaOf(c) === 'json') {
    const sent = await readJson(c);
    const rows = readList(sent, list, toRow, hasCheckpoint ? 'checkpoint' : null);
    const checkpoint = hasCheckpoint ? readCheckpoint(sent) : undefined;
    const appended = append(rows, checkpoint && { checkpoints: [checkpoint] });
    return c.json(await appended.catch((error: unknown) => throwRefused(error, list)));
  }
  using permit = c.var.permit();
  const body = whilePermitted(chunksOf(c), permit);
  return c.json(await ingestLines({ body, toRow, append: (rows) => append(rows), add }));
}

/** Throws the 422 for an entry that was refused, or else the error itself. */
function throwRefused(error: unknown, list: string): never {
  if (!(error instanceof RefusedEntry)) throw error;
  const { index, field, detail } = error;
  throw invalid('json', [{ pointer: `/${list}/${index}/${field}`, detail }]);
}

function addRecords(sum: RecordsAppended, next: RecordsAppended): RecordsAppended {
  return {
    accepted: sum.accepted + next.accepted,
    created: sum.created + next.created,
    updated: sum.updated + next.updated,
    deleted: sum.deleted + next.deleted,
    unchanged: sum.unchanged + next.unchanged,
    position: next.position,
  };
}

function addEvents(sum: EventsAppended, next: EventsAppended): EventsAppended {
  return {
    accepted: sum.accepted + next.accepted,
    duplicates: sum.duplicates + next.duplicates,
    position: next.position,
  };
}

type RequestBody = NonNullable<NonNullable<RouteConfig['request']>['body']>;

/** The body of a request: a list as JSON, or one entry per line. */
function bodyOf(
  list: string,
  entry: z.ZodType,
  beside: Record<string, z.ZodType> = {},
): RequestBody {
  return {
    required: true,
    content: {
      'application/json': { schema: z.strictObject({ [list]: z.array(entry), ...beside }) },
      'application/x-ndjson': { schema: entry },
    },
  };
}

const ABOUT =
  'A JSON request (at most 10 MiB) is atomic. `application/x-ndjson`, one entry per line, is committed in parts; an invalid line ends it with a 422 that has `line` and `committed`, the number of lines that were stored. If the key ends in the meantime, the request ends with a 401 that has `committed`.';
const about = { tags: ['Streams'], security: needs('ingest'), method: 'post' as const };

const RECORDS = {
  ...about,
  path: '/v1/records',
  summary: 'Append record changes',
  description: `The later change of a record wins, an unchanged record is not stored again, and events are derived from the changes. With \`merge\`, fields that are not given keep their stored value. A JSON request may have a \`checkpoint\`, which is stored in the same transaction as its records. ${ABOUT}`,
  request: {
    headers: TraceparentHeader,
    body: bodyOf('records', RecordInput, { checkpoint: CheckpointInput.optional() }),
  },
  responses: {
    200: json(RecordsAppended, 'The number of changes by outcome; all of them are on disk'),
    ...problems(400, 413, 415, 422),
  },
};

const EVENTS = {
  ...about,
  path: '/v1/events',
  summary: 'Append events',
  description: `An \`event_id\` that was sent before is a duplicate, not an error. ${ABOUT}`,
  request: { headers: TraceparentHeader, body: bodyOf('events', EventInput) },
  responses: {
    200: json(EventsAppended, 'The number of events by outcome; all of them are on disk'),
    ...problems(400, 413, 415, 422),
  },
};
