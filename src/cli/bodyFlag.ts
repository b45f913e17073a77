import type { ConsumerBody } from '../schema/body.ts';
import { usage } from './exit.ts';
import { readBytes, textOf } from './values.ts';

/** How the flag `--body` is described. */
export const BODY_HELP =
  'what a request carries: full, thin, cloudevents, fields:/data/a,/data/b, or map:EXPRESSION (map:@FILE; default: full)';

const PLAIN = ['full', 'thin', 'cloudevents'] as const;

/**
 * Reads the flag `--body`. The expression of a `map` is the text itself, `@FILE`, or `-` for stdin. Rejects with a
 * `CliError` for any other text; what the API checks is left to it.
 */
export async function bodyOf(text: string | undefined): Promise<ConsumerBody | undefined> {
  if (text === undefined) return undefined;
  const plain = PLAIN.find((mode) => mode === text);
  if (plain !== undefined) return { mode: plain };
  const [, mode, rest = ''] = /^(fields|map):(.*)$/su.exec(text) ?? [];
  if (mode === 'fields') return { mode, pointers: rest.split(',').map((one) => one.trim()) };
  if (mode === 'map') return { mode, expression: await expressionOf(rest) };
  throw usage(
    `--body takes full, thin, cloudevents, fields:/data/a,/data/b or map:EXPRESSION; not ${JSON.stringify(text)}`,
  );
}

/** A body as the flag takes it. */
export function bodyText(body: ConsumerBody): string {
  if (body.mode === 'fields') return `fields:${body.pointers.join(',')}`;
  return body.mode === 'map' ? `map:${body.expression}` : body.mode;
}

async function expressionOf(given: string): Promise<string> {
  const path = given === '-' ? '-' : given.startsWith('@') ? given.slice(1) : null;
  return path === null ? given : textOf(path, await readBytes(path)).trim();
}
