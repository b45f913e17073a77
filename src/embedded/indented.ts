/** Strings, also one that is cut off; the signs between values; and everything else, such as numbers. */
const TOKENS = /"(?:[^"\\]|\\.)*"?|[{}[\],:]|[^\s"{}[\],:]+/gsu;
/** Deeper levels are not indented further. */
const DEEPEST = 20;

/**
 * A text of JSON with a line for each value. Digits and escapes stay as they came, and the text may be cut off; a text
 * that is no object and no list is returned as it is.
 */
export function indented(text: string): string {
  if (!/^\s*[[{]/u.test(text)) return text;
  const tokens = text.match(TOKENS) ?? [];
  let depth = 0;
  const line = (): string => `\n${'  '.repeat(Math.max(0, Math.min(depth, DEEPEST)))}`;
  return tokens
    .map((token, index) => {
      if (isStart(token)) {
        if (isEnd(tokens[index + 1])) return token; // empty
        depth += 1;
        return token + line();
      }
      if (isEnd(token)) {
        if (isStart(tokens[index - 1])) return token;
        depth -= 1;
        return line() + token;
      }
      if (token === ',') return token + line();
      return token === ':' ? ': ' : token;
    })
    .join('');
}

function isStart(token: string | undefined): boolean {
  return token === '{' || token === '[';
}

function isEnd(token: string | undefined): boolean {
  return token === '}' || token === ']';
}
