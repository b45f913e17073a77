/** One element of an array, by offsets in its source: its bytes, and where reading continues after it. */
export interface Element {
  start: number;
  end: number;
  next: number;
  /** Why it can't be read, if that is known already; null otherwise. */
  fault: string | null;
}

/** Finds the elements of one array in bytes that come one part after another. */
export interface ElementFinder {
  /** Returns the elements that end within the next bytes; it takes no more of them once there is a fault. */
  take(bytes: Uint8Array): Element[];
  /** Returns the element that the end of the bytes ends, if there is one. */
  end(): Element[];
  /** Where the element begins that has not ended yet; null between two elements. */
  readonly began: number | null;
  /** The offset of the next byte; once there is a fault, the place of the fault. */
  readonly offset: number;
  /** Why the array can't be read any further; null while it can. */
  readonly fault: string | null;
}

const [TAB, NEWLINE, RETURN, SPACE] = [0x09, 0x0a, 0x0d, 0x20];
const [QUOTE, COMMA, BACKSLASH] = [0x22, 0x2c, 0x5c];
const [LEFT_BRACKET, RIGHT_BRACKET, LEFT_BRACE, RIGHT_BRACE] = [0x5b, 0x5d, 0x7b, 0x7d];
const TORN = 'has a quote that is not closed in its line';
const OPEN = 'opens a bracket that is not closed, so that it reaches to the end of the array';

/**
 * Examines only quotes, brackets and commas, so that an element that is not JSON ends where its brackets do,
 * and the next one is found. Where brackets don't match, the nearest one that fits is closed; one that is never
 * closed makes its element reach to the end. If a quote is still open at the end of its line, the element ends
 * before the next line that begins like the line on which it began. `from` is 0, or where reading continues
 * after an element.
 */
export function createElementFinder(from: number): ElementFinder {
  const brackets = createBrackets(from > 0);
  let offset = from;
  let lineFrom = from;
  let isIndent = false; // only whitespace so far in this line
  let isQuoted = false;
  let isEscaped = false;
  let isTorn = false; // a quote of the element was open at the end of its line
  let began: number | null = null;
  /** How the line begins in which the element begins; null if other text is before the element in that line. */
  let margin: { indent: number; byte: number } | null = null;
  /** A bracket within the element that ends the array if nothing follows it. */
  let last: number | null = null;
  let isOver = false;
  let fault: string | null = null;
  let found: Element[] = [];

  function pass(byte: number): void {
    if (byte === NEWLINE) endLine();
    else if (isQuoted) passQuoted(byte);
    else if (byte !== SPACE && byte !== TAB && byte !== RETURN) {
      const indent = isIndent ? offset - lineFrom : null;
      isIndent = false;
      if (isTorn && !mends(byte, indent)) return;
      last = null;
      const { depth } = brackets;
      if (depth === 0) outside(byte);
      else if (depth === 1 && (byte === COMMA || byte === RIGHT_BRACKET)) endElement(byte);
      else inside(byte, indent);
    }
  }

  function endLine(): void {
    lineFrom = offset + 1;
    isIndent = true;
    isEscaped = false;
    if (!isQuoted || margin === null) return;
    isTorn = true;
    isQuoted = false;
  }

  function passQuoted(byte: number): void {
    isIndent = false;
    if (isEscaped) isEscaped = false;
    else if (byte === BACKSLASH) isEscaped = true;
    else if (byte === QUOTE) isQuoted = false;
  }

  /**
   * Ends a broken element before the line that begins with this byte, if that is the next element, or ends the
   * array.
   */
  function mends(byte: number, indent: number | null): boolean {
    if (indent === null || margin === null || began === null) return false;
    const isNext = byte === margin.byte && indent === margin.indent;
    const most = margin.byte === LEFT_BRACKET ? margin.indent - 1 : margin.indent;
    if (!isNext && (byte !== RIGHT_BRACKET || indent > most)) return false;
    const end = lineFrom - 1;
    found.push({ start: began, end, next: end, fault: TORN });
    began = null;
    isTorn = false;
    brackets.closeTo(1);
    return true;
  }

  function outside(byte: number): void {
    if (isOver) fault = 'there is something after the array';
    else if (byte === LEFT_BRACKET) brackets.open(byte);
    else fault = 'it is not an array';
  }

  function endElement(byte: number): void {
    // Reading continues at the bracket, not after it, because it then ends the array as well.
    const next = byte === COMMA ? offset + 1 : offset;
    if (began !== null) found.push({ start: began, end: offset, next, fault: null });
    began = null;
    if (byte === COMMA) return;
    brackets.closeTo(0);
    isOver = true;
  }

  function inside(byte: number, indent: number | null): void {
    if (began === null) {
      began = offset;
      margin = indent === null ? null : { indent, byte };
    }
    if (byte === QUOTE) isQuoted = true;
    else if (byte === LEFT_BRACKET || byte === LEFT_BRACE) brackets.open(byte);
    else if (byte === RIGHT_BRACE) brackets.close(byte);
    else if (byte === RIGHT_BRACKET && !brackets.close(byte)) last = offset;
  }

  return {
    take: (bytes) => {
      found = [];
      for (let at = 0; at < bytes.length; at++) {
        pass(bytes[at]!);
        if (fault !== null) break;
        offset++;
      }
      return found;
    },
    end: () => {
      if (last !== null && began !== null) {
        return [{ start: began, end: last, next: last, fault: OPEN }];
      }
      if (!isOver) {
        fault = 'it ends before the array does';
        if (isQuoted || isTorn) fault += ', within a quote that is not closed';
      }
      return [];
    },
    get began() {
      return began;
    },
    get offset() {
      return offset;
    },
    get fault() {
      return fault;
    },
  };
}

/** The brackets that are open. */
interface Brackets {
  /** How many brackets are open. */
  readonly depth: number;
  open(byte: number): void;
  /** Closes the nearest one within the array that fits, and those within it; returns whether there is one. */
  close(byte: number): boolean;
  /** Closes all but so many, 1 at most. */
  closeTo(depth: number): void;
}

/** The array's own is open already if reading continues in it. */
function createBrackets(isInArray: boolean): Brackets {
  const open: number[] = isInArray ? [LEFT_BRACKET] : [];
  let [braces, others] = [0, 0]; // within the array

  function closeTo(depth: number): void {
    open.length = depth;
    [braces, others] = [0, 0];
  }

  return {
    get depth() {
      return open.length;
    },
    closeTo,
    open: (byte) => {
      if (byte === LEFT_BRACE) braces++;
      else if (open.length > 0) others++;
      open.push(byte);
    },
    close: (byte) => {
      const wanted = byte === RIGHT_BRACE ? LEFT_BRACE : LEFT_BRACKET;
      if ((wanted === LEFT_BRACE ? braces : others) === 0) return false;
      let closed: number | undefined;
      do {
        closed = open.pop();
        if (closed === LEFT_BRACE) braces--;
        else others--;
      } while (closed !== wanted);
      return true;
    },
  };
}
