import type { Context } from 'hono';
import type { z } from 'zod';

import { ApiError, type FieldError } from './errors.ts';

type Issue = z.core.$ZodIssue;

/** The most faults of one request that are listed. */
const LISTED = 20;

/** Refuses what does not fit the schemas of a route: 422 for a body, 400 for a query, 404 for an id. */
export function refuseInvalid(
  result: { target: string } & ({ success: true } | { success: false; error: z.ZodError }),
  c: Context,
): void {
  if (result.success) return;
  if (result.target === 'param') {
    throw new ApiError({
      status: 404,
      code: 'not_found',
      detail: `There is nothing at ${c.req.path}: the id is not valid`,
    });
  }
  // No route has a schema for another part.
  throw invalid(result.target as 'json' | 'query' | 'header', fieldErrors(result.error.issues));
}

/** The problem for a list of faults. `target` is the invalid part: `json`, `query` or `header`. */
export function invalid(target: 'json' | 'query' | 'header', errors: FieldError[]): ApiError {
  const first = errors[0];
  const more = errors.length > 1 ? ` (and ${errors.length - 1} more)` : '';
  const where = first === undefined || first.pointer === '' ? 'The body' : first.pointer;
  const detail = `${where} ${first?.detail ?? 'is invalid'}${more}`;
  return target === 'json'
    ? new ApiError({
        status: 422,
        code: 'invalid_request',
        detail,
        errors: errors.slice(0, LISTED),
      })
    : new ApiError({
        status: 400,
        code: `invalid_${target}`,
        detail,
        errors: errors.slice(0, LISTED),
      });
}

/** Turns zod's issues into faults with RFC 6901 pointers; a union yields those of its nearest branch. */
export function fieldErrors(issues: readonly Issue[], base = ''): FieldError[] {
  return issues.flatMap((issue) => {
    const pointer = base + toPointer(issue.path);
    if (issue.code === 'unrecognized_keys') {
      return issue.keys.map((key) => ({
        pointer: pointer + toPointer([key]),
        detail: 'is not a known field',
      }));
    }
    if (issue.code === 'invalid_key') return fieldErrors(issue.issues, pointer);
    if (issue.code === 'invalid_union') {
      const nearest = nearestBranch(issue.errors);
      if (nearest !== null) return fieldErrors(nearest, pointer);
    }
    return [{ pointer, detail: toDetail(issue) }];
  });
}

/** An RFC 6901 pointer, in which `~` is `~0` and `/` is `~1`. */
export function toPointer(path: readonly PropertyKey[]): string {
  return path
    .map((part) => `/${String(part).replaceAll('~', '~0').replaceAll('/', '~1')}`)
    .join('');
}

/** The only branch of a union that got into the value; null when none or several did. */
function nearestBranch(branches: readonly (readonly Issue[])[]): readonly Issue[] | null {
  const entered = branches.filter((issues) =>
    issues.some((issue) => issue.path.length > 0 || issue.code === 'invalid_format'),
  );
  return entered.length === 1 ? entered[0]! : null;
}

/** What is wrong with a value, as the rest of a sentence that begins with its name. */
function toDetail(issue: Issue): string {
  if (issue.code === 'invalid_type') {
    if (issue.message.endsWith('received undefined')) return 'is required';
    if (!issue.message.startsWith('Invalid input')) return issue.message; // the schema has a sentence of its own
    return TYPES[issue.expected] ?? issue.message;
  }
  const values = valuesOf(issue);
  if (values.length > 0) return `must be ${oneOf(values)}`;
  if (issue.code === 'too_small' && issue.message.startsWith('Too small')) {
    if (issue.origin !== 'number' && issue.origin !== 'int' && Number(issue.minimum) === 1) {
      return 'must not be empty';
    }
    return `must ${amountOf(issue.origin, 'at least', issue.minimum)}`;
  }
  if (issue.code === 'too_big' && issue.message.startsWith('Too big')) {
    return `must ${amountOf(issue.origin, 'at most', issue.maximum)}`;
  }
  if (issue.code === 'invalid_format') return FORMATS[issue.format] ?? issue.message;
  return issue.message === 'Invalid input' ? 'is not an allowed value' : issue.message;
}

/** The values of which an issue wants one; none when it wants something else, or something else will do. */
function valuesOf(issue: Issue): string[] {
  if (issue.code === 'invalid_value') return issue.values.map(String);
  if (issue.code !== 'invalid_union') return [];
  const branches = issue.errors.map(([only]) => (only === undefined ? [] : valuesOf(only)));
  return branches.every((values) => values.length > 0) ? branches.flat() : [];
}

function oneOf(values: string[]): string {
  return values.length === 1 ? values[0]! : `${values.slice(0, -1).join(', ')} or ${values.at(-1)}`;
}

const TYPES: Record<string, string> = {
  string: 'must be a string',
  number: 'must be a number',
  int: 'must be a whole number',
  boolean: 'must be true or false',
  array: 'must be a list',
  object: 'must be a JSON object',
};

const FORMATS: Record<string, string> = {
  email: 'must be an email address',
  uuid: 'must be a UUID',
};

function amountOf(origin: string, bound: string, limit: number | bigint): string {
  if (origin === 'string') return `have ${bound} ${limit} characters`;
  if (origin === 'array') return `have ${bound} ${limit} values`;
  return `be ${bound} ${limit}`;
}
