import { textParameter } from '../db/arrayLiteral.ts';

/**
 * The parts of a statement that stores entries which concern their traces. A trace is stored as the 25 bytes of its
 * `traceparent` without the version, half of its text.
 */
export interface TraceParts {
  /** Follows the name of the statement. */
  name: string;
  /** Follows the last column of the table. */
  column: string;
  /** Follows the value of that column. */
  value: string;
  /** Follows the last array that is unnested. */
  parameter: string;
  /** Follows the column of that array. */
  input: string;
  /** The value of the parameter. */
  values: Buffer[];
}

const UNTRACED: TraceParts = {
  name: '',
  column: '',
  value: '',
  parameter: '',
  input: '',
  values: [],
};

/**
 * The parts for these entries, with the parameter's name. They are empty if none of the entries has a trace, so that
 * producers without traces pay nothing.
 */
export function traceParts(
  entries: readonly { traceparent?: string | null | undefined }[],
  parameter: string,
): TraceParts {
  if (entries.every(({ traceparent = null }) => traceparent === null)) return UNTRACED;
  const digits = entries.map(({ traceparent = null }) =>
    traceparent === null ? null : traceparent.slice(3).replaceAll('-', ''),
  );
  return {
    name: '-traced',
    column: ', traceparent',
    value: `, decode(trace, 'hex')`,
    parameter: `, ${parameter}::text[]`,
    input: ', trace',
    values: [textParameter(digits)],
  };
}

/** The `traceparent` of a stored entry; null when it has none. */
export function traceparentOf(stored: Buffer | null): string | null {
  if (stored === null) return null;
  const hex = stored.toString('hex');
  return `00-${hex.slice(0, 32)}-${hex.slice(32, 48)}-${hex.slice(48)}`;
}
