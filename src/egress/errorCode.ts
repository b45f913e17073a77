/** The network errors of this machine itself, which say nothing about an endpoint. */
const OURS = new Set(['EMFILE', 'ENFILE', 'ENOBUFS', 'ENOMEM', 'EADDRNOTAVAIL', 'ENETUNREACH']);

/** Whether the error of this code is one of this machine itself. */
export function isOurs(code: string): boolean {
  return OURS.has(code);
}

/**
 * The error code of the system or of undici. When several addresses were tried, the first code that says
 * something about the endpoint counts; that this machine has no route to one of them does not.
 */
export function codeOf(error: unknown): string {
  if (error instanceof AggregateError && error.errors.length > 0) {
    const codes = error.errors.map((one) => codeOf(one));
    return codes.find((code) => code !== '' && !isOurs(code)) ?? codes[0] ?? '';
  }
  const code = (error as { code?: unknown } | null)?.code;
  if (typeof code === 'string') return code;
  const cause = (error as { cause?: unknown } | null)?.cause;
  return cause === undefined ? '' : codeOf(cause);
}
