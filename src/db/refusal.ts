export interface RefusalOptions {
  status: 404 | 409 | 410 | 422;
  /** Stable: callers switch on it. */
  code: string;
  /** One sentence that names the thing and what is allowed; never a secret. */
  detail: string;
  /** The field at fault, RFC 6901 into the request's body. */
  pointer?: string;
  /** Further members of the answer. */
  extra?: Record<string, unknown>;
}

/** What a store does not do, for a reason that the caller can act on; the API answers it as it stands. */
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
