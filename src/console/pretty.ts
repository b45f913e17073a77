const TOKENS = /"(?:[^"\\]|\\.)*"|[{}[\],:]|[^\s{}[\],:"]+/gu;

/** Breaks JSON text into lines; values stay as written, so no digit is lost. Other text stays as it is. */
export function prettyText(text: string): string {
  try {
    JSON.parse(text);
  } catch {
    return text; // shown as it came
  }
  let depth = 0;
  let printed = '';
  let before = '';
  const line = (): string => `\n${'  '.repeat(depth)}`;
  for (const [token] of text.matchAll(TOKENS)) {
    const closes = token === '}' || token === ']';
    if (closes) {
      depth -= 1;
      if (before !== '{' && before !== '[') printed += line();
    } else if (before === '{' || before === '[' || before === ',') printed += line();
    printed += token === ':' ? ': ' : token;
    if (token === '{' || token === '[') depth += 1;
    before = token;
  }
  return printed;
}

/** JSON whose numbers keep all their digits when they are printed again. */
export function parseExactly(text: string): unknown {
  const raw = (JSON as { rawJSON?: (source: string) => unknown }).rawJSON;
  return JSON.parse(text, ((_key: string, value: unknown, context?: { source?: string }) => {
    if (typeof value !== 'number' || context?.source === undefined) return value;
    if (String(value) === context.source) return value;
    return raw === undefined ? context.source : raw(context.source);
  }) as (key: string, value: unknown) => unknown);
}

/** A value as JSON in lines. */
export function prettyValue(value: unknown): string {
  return JSON.stringify(value, null, 2) ?? 'null';
}
