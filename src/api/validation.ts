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
      detail: `There is nothing at ${c.req.path}: no such id can exist`,
    });
  }
  throw invalid(result.target, fieldErrors(result.error.issues));
}

/** The problem for a list of faults. `target` is the invalid part: `json`, `query` or `header`. */
export function invalid(target: string, errors: FieldError[]): ApiError {
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
        detail: 'is not a field here',
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

function toDetail(issue: Issue): string {
  if (issue.code === 'invalid_type' && issue.message.endsWith('received undefined')) {
    return 'is required';
  }
  return issue.message;
}
