const TOKENS = /"[^"\\]*(?:\\.[^"\\]*)*"|[{}[\]:,]|[^\s{}[\]:,"]+/gu;

/** JSON text in lines, each value exactly as it was written: no number is read, so none is rounded. */
export function pretty(text: string): string {
  let out = '';
  let depth = 0;
  let before = '';
  for (const [token] of text.matchAll(TOKENS)) {
    const isClosing = token === '}' || token === ']';
    if (isClosing) depth -= 1;
    const isEmpty = isClosing && (before === '{' || before === '[');
    const isNewLine = isClosing ? !isEmpty : before === '{' || before === '[' || before === ',';
    if (isNewLine) out += `\n${'  '.repeat(depth)}`;
    out += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth += 1;
    before = token;
  }
  return out;
}
