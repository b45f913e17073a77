/** Why an expression can't be saved, and where: `line` and `column` count from 1, columns in UTF-16 units. */
export class CelError extends Error {
  readonly line: number;
  readonly column: number;
  /** A sentence that names what is wrong, and what is allowed. */
  readonly detail: string;

  constructor(detail: string, { line, column }: Place) {
    super(`line ${line}, column ${column}: ${detail}`);
    this.name = 'CelError';
    this.line = line;
    this.column = column;
    this.detail = detail;
  }
}

/** Why an expression has no value for an entry; its message is a sentence. */
export class CelFault extends Error {
  override readonly name = 'CelFault';
}

/** A place in a text, counted from 1. */
export interface Place {
  line: number;
  column: number;
}

/** The place of the character at `index`; the place after the last one for an index beyond the text. */
export function placeOf(text: string, index: number): Place {
  const before = text.slice(0, index).split('\n');
  return { line: before.length, column: (before.at(-1)?.length ?? 0) + 1 };
}
