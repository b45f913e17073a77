/**
 * The index after the string of a JSON text whose quote is at `start`, or in which `start` is just before an escape; the
 * end of the text when nothing closes it.
 */
export function endOfString(text: string, start: number): number {
  for (let at = text.indexOf('"', start + 1); at >= 0; at = text.indexOf('"', at + 1)) {
    let slashes = 0;
    while (text.charCodeAt(at - 1 - slashes) === BACKSLASH) slashes++;
    if (slashes % 2 === 0) return at + 1;
  }
  return text.length;
}

/** The index of the first character from `start` on that is no white space of JSON. */
export function afterSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) <= SPACE) at++;
  return at;
}

/** The index of the comma, brace or bracket that follows the value of a JSON text which begins at `start`. */
export function endOfValue(text: string, start: number): number {
  let depth = 0;
  let at = start;
  while (at < text.length) {
    const char = text.charCodeAt(at);
    if (char === QUOTE) {
      at = endOfString(text, at);
      continue;
    }
    const closes = char === BRACE + 2 || char === BRACKET + 2; // } and ]
    if (depth === 0 && (closes || char === COMMA)) return at;
    if (closes) depth--;
    else if (char === BRACE || char === BRACKET) depth++;
    at++;
  }
  return at;
}

const [SPACE, BACKSLASH] = [0x20, 0x5c];
const [QUOTE, COMMA, BRACKET, BRACE] = [0x22, 0x2c, 0x5b, 0x7b];
