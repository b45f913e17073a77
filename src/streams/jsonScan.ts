/** The index after the string that begins at `start` of a valid JSON text. */
export function endOfString(text: string, start: number): number {
  let at = start + 1;
  while (at < text.length && text.charCodeAt(at) !== QUOTE) {
    at += text.charCodeAt(at) === BACKSLASH ? 2 : 1;
  }
  return at + 1;
}

/** The index of the first character from `start` on that is no white space of JSON. */
export function afterSpace(text: string, start: number): number {
  let at = start;
  while (at < text.length && text.charCodeAt(at) <= SPACE) at++;
  return at;
}

const [SPACE, QUOTE, BACKSLASH] = [0x20, 0x22, 0x5c];
