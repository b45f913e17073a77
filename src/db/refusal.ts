import type { ProblemCode } from '../schema/problem.ts';

/** The reason for a refusal, as the API answers it. */
export interface RefusalOptions {
  status: 404 | 409 | 410 | 422;
  /** A stable code, by which callers tell refusals apart. */
  code: ProblemCode;
  /** One sentence that names the thing and what is allowed. It never holds a secret. */
  detail: string;
  /** The field at fault, as a JSON Pointer (RFC 6901) into the request's body. */
  pointer?: string;
  /** Further members of the problem in the answer. */
  extra?: Record<string, unknown>;
}

/** Thrown by a store that refuses something for a reason the caller can act on; the API answers it unchanged. */
export class Refusal extends Error {
  override name = 'Refusal';
  readonly options: RefusalOptions;

  constructor(options: RefusalOptions) {
    super(options.detail);
    this.options = options;
  }
}

/** The refusal of one field: a 422 that points at it. */
export function refuseField(pointer: string, detail: string): Refusal {
  return new Refusal({
    status: 422,
    code: 'invalid_request',
    detail: `${pointer} ${detail}`,
    pointer,
  });
}
