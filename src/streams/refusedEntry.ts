/** One entry of a request can't be appended, as what is stored shows; nothing of its request was stored. */
export class RefusedEntry extends Error {
  override name = 'RefusedEntry';
  /** The index of the entry in its request. */
  readonly index: number;
  /** The field at fault. */
  readonly field: string;
  /** What is wrong with it, as the rest of a sentence that begins with the field. */
  readonly detail: string;

  constructor(index: number, field: string, detail: string) {
    super(`entry ${index}: ${field} ${detail}`);
    this.index = index;
    this.field = field;
    this.detail = detail;
  }
}
