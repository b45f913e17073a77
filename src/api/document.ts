import { STATUS_CODES } from 'node:http';

import { docsOf, type ProblemCode } from '../schema/problem.ts';
import { exampleOf, type Schema } from './example.ts';

/** The body of an operation in one media type. */
export interface Media {
  schema?: Schema;
  example?: unknown;
  examples?: object;
}

/** One answer of an operation. */
export interface Answer {
  description: string;
  content?: Record<string, Media>;
}

/** One operation of the API. */
export interface Operation {
  operationId?: string;
  summary?: string;
  description?: string;
  tags?: string[];
  security?: object[];
  parameters?: {
    name: string;
    in: string;
    required?: boolean;
    schema?: Schema;
    description?: string;
  }[];
  requestBody?: { required?: boolean; content: Record<string, Media> };
  responses: Record<string, Answer>;
}

/** The parts of an OpenAPI document that are read or completed here. */
export interface Document {
  info: { title: string; description?: string };
  tags?: { name: string; description?: string }[];
  paths: Record<string, Record<string, Operation>>;
  webhooks?: Record<string, Record<string, Operation>>;
  components: { schemas: Record<string, Schema> };
}

const PROBLEM = 'application/problem+json';

/**
 * Completes the document in place with what holds for all routes: operation ids, examples, and the
 * problems that follow from the parameters. What a route declares itself stays.
 */
export function complete(document: Document): void {
  repairPatterns(document);
  const { schemas } = document.components;
  for (const [path, methods] of Object.entries(document.paths)) {
    for (const [method, operation] of Object.entries(methods)) {
      operation.operationId ??= operationId(method, path);
      operation.description ??= `${operation.summary}.`;
      addProblems(operation, path);
      for (const body of [operation.requestBody, ...Object.values(operation.responses)]) {
        addExamples(body?.content, schemas);
      }
    }
  }
  for (const methods of Object.values(document.webhooks ?? {})) {
    for (const { requestBody } of Object.values(methods))
      addExamples(requestBody?.content, schemas);
  }
}

/** Names an operation: `GET /v1/consumers/{id}` is `getConsumer`, `POST …/pause` is `pauseConsumer`. */
export function operationId(method: string, path: string): string {
  const parts = path.split('/').filter((part) => part !== '' && part !== 'v1');
  const last = parts.at(-1) ?? '';
  const isPlural = last.endsWith('s');
  const isOne = last.startsWith('{');
  const isAction = method === 'post' && !isOne && !isPlural;
  const verb = isAction
    ? last
    : method === 'get'
      ? !isOne && isPlural
        ? 'list'
        : 'get'
      : ({ post: 'create', patch: 'update', put: 'put', delete: 'delete' }[method] ?? method);
  const nouns = (isAction ? parts.slice(0, -1) : parts).flatMap((part, index, all) => {
    if (part.startsWith('{')) return [];
    const next = all[index + 1];
    const one = next?.startsWith('{') === true || (method === 'post' && next === undefined);
    return [one && !(isAction && next === undefined) ? part.replace(/s$/u, '') : part];
  });
  return camel([verb, ...nouns].join('-'));
}

function camel(text: string): string {
  return text.replaceAll(/[^A-Za-z0-9]+([A-Za-z0-9])?/gu, (_, next: string | undefined) =>
    (next ?? '').toUpperCase(),
  );
}

/** Removes the flags with which zod prints regular expressions: JSON Schema has none. */
function repairPatterns(value: unknown): void {
  if (typeof value !== 'object' || value === null) return;
  for (const [name, inner] of Object.entries(value)) {
    if (name === 'pattern' && typeof inner === 'string') {
      (value as { pattern: string }).pattern = inner.replace(/\/[dgimsuvy]+$/u, '');
    } else repairPatterns(inner);
  }
}

function addProblems(operation: Operation, path: string): void {
  const { parameters = [], requestBody, responses, security } = operation;
  const statuses = [414, 431];
  if (parameters.some((one) => one.in === 'query' || one.in === 'header')) statuses.push(400);
  if (path.includes('{')) statuses.push(404);
  if (requestBody !== undefined) statuses.push(400, 413, 415, 422);
  if (security === undefined) statuses.length = 2;
  for (const status of statuses) {
    responses[status] ??= {
      description: STATUS_CODES[status] ?? 'Error',
      content: { [PROBLEM]: { schema: { $ref: '#/components/schemas/Problem' } } },
    };
  }
  for (const [status, { content }] of Object.entries(responses)) {
    const media = content?.[PROBLEM];
    if (media !== undefined && media.examples === undefined) {
      media.example ??= problemExample(Number(status));
    }
  }
}

const PROBLEMS: Record<number, { code: ProblemCode; detail: string; more?: object }> = {
  400: { code: 'invalid_query', detail: '/limit must be at most 1000' },
  401: {
    code: 'unauthorized',
    detail: 'Unknown API key; send one as "Authorization: Bearer <key>"',
  },
  403: { code: 'forbidden', detail: 'This requires the scope manage; the key importer has ingest' },
  404: {
    code: 'not_found',
    detail: 'There is no consumer 0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11',
  },
  409: {
    code: 'wrong_status',
    detail: 'Consumer 0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11 is stopped: retry is not possible.',
  },
  410: {
    code: 'cursor_expired',
    detail: 'Entries after the cursor were dropped by the retention',
  },
  413: { code: 'too_large', detail: 'This request may have at most 10485760 bytes' },
  414: { code: 'url_too_long', detail: 'A URL may have at most 8192 characters' },
  415: {
    code: 'unsupported_media_type',
    detail: 'The body must be sent as content-type: application/json',
  },
  422: {
    code: 'invalid_request',
    detail: '/name is required',
    more: { errors: [{ pointer: '/name', detail: 'is required' }] },
  },
  429: { code: 'rate_limited', detail: 'A key may send 1000 requests per second, 2000 in a burst' },
  431: {
    code: 'headers_too_large',
    detail: 'Path, query and headers may have at most 16384 bytes together',
  },
  503: {
    code: 'database_unavailable',
    detail: 'Postgres is not available; it is safe to send the same request again',
  },
};

function problemExample(status: number): unknown {
  const { code, detail, more } = PROBLEMS[status] ?? {
    code: 'internal',
    detail: 'An explanation of the error',
  };
  return {
    type: `urn:millrace:problem:${code}`,
    title: STATUS_CODES[status] ?? 'Error',
    status,
    detail,
    code,
    request_id: '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11',
    docs: docsOf(code),
    ...more,
  };
}

function addExamples(
  content: Record<string, Media> | undefined,
  schemas: Record<string, Schema>,
): void {
  for (const [type, media] of Object.entries(content ?? {})) {
    if (type !== 'application/json' || media.schema === undefined) continue;
    if (media.example === undefined && media.examples === undefined) {
      media.example = exampleOf(media.schema, schemas);
    }
  }
}
