import { z } from 'zod';

/** Every `code` that a problem may have. `docs/errors.md` says what each means and what to do. */
export const PROBLEM_CODES = [
  'address_refused',
  'command_gone',
  'conflict',
  'csrf_refused',
  'cursor_expired',
  'database_unavailable',
  'deleted_since',
  'filter_conflict',
  'forbidden',
  'headers_too_large',
  'idempotency_mismatch',
  'idempotency_running',
  'idempotency_unreadable',
  'internal',
  'invalid_cursor',
  'invalid_header',
  'invalid_line',
  'invalid_query',
  'invalid_request',
  'invalid_since',
  'key_expired',
  'key_revoked',
  'malformed_json',
  'malformed_request',
  'method_not_allowed',
  'name_taken',
  'not_found',
  'not_ready',
  'not_sent_yet',
  'overloaded',
  'parked',
  'pass_superseded',
  'rate_limited',
  'request_refused',
  'request_timeout',
  'source_changed',
  'source_refused',
  'source_unreadable',
  'target_in_use',
  'target_unreadable',
  'temporal_unavailable',
  'too_large',
  'too_many_deletes',
  'too_many_headers',
  'too_many_points',
  'unauthorized',
  'unsupported_media_type',
  'url_too_long',
  'worker_unavailable',
  'wrong_status',
  'wrong_stream',
] as const;
export type ProblemCode = (typeof PROBLEM_CODES)[number];

export const Problem = z
  .object({
    type: z.string(),
    title: z.string(),
    status: z.int(),
    detail: z.string(),
    code: z.string().meta({ description: 'The stable code of the error, for programs' }),
    request_id: z.string(),
    docs: z.string().optional().meta({
      description: 'The page that explains the code, as a URL relative to that of the API',
    }),
    errors: z
      .array(
        z.object({
          pointer: z.string(),
          detail: z.string(),
          line: z.int().optional().meta({
            description: 'Of an expression: the line in which it is wrong, from 1',
          }),
          column: z.int().optional().meta({
            description: 'Of an expression: the column in that line, from 1, in UTF-16 units',
          }),
        }),
      )
      .optional(),
  })
  .meta({ id: 'Problem', description: 'RFC 9457 problem details' });
export type Problem = z.infer<typeof Problem>;

/** The address in the documentation of what a code means; it resolves against the URL of the API. */
export function docsOf(code: ProblemCode): string {
  return `/docs/errors#${code}`;
}
