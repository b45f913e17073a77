import type { StreamName } from '../schema/stream.ts';
import { celEntry, compileCel, type CelEntry, type Compiled } from './cel.ts';
import { CelError, CelFault } from './celFault.ts';

/** The condition of a filter, ready to be evaluated. */
export interface Where {
  /** Whether it is true for an entry. Throws a CelFault when that can't be told. */
  holds(entry: CelEntry): boolean;
}

/** So many conditions stay compiled; consumers are configured anew with each visit. */
const MOST_KNOWN = 1_000;
const known: Record<StreamName, Map<string, Where>> = { events: new Map(), records: new Map() };

/** Compiles the condition of a filter. Throws a CelError unless it can be true or false. */
export function compileWhere(text: string, stream: StreamName): Where {
  const found = known[stream].get(text);
  if (found !== undefined) return found;
  const compiled = compileCel(text, stream);
  if (compiled.type !== 'bool' && compiled.type !== 'dyn') {
    const detail = `A condition is true or false; this expression is ${typeInWords(compiled.type)}. Compare it, for example with == or >.`;
    throw new CelError(detail, { line: 1, column: 1 });
  }
  const where = { holds: (entry: CelEntry) => truthOf(compiled, entry) };
  if (known[stream].size >= MOST_KNOWN) known[stream].clear();
  known[stream].set(text, where);
  return where;
}

/** Whether a stored condition can be compiled by this version. */
export function isCompilable(text: string, stream: StreamName): boolean {
  try {
    compileWhere(text, stream);
    return true;
  } catch (error) {
    if (error instanceof CelError) return false;
    throw error;
  }
}

/** Whether the entry with this body satisfies a condition; one for which that can't be told does not. */
export function isSatisfied(where: Where, body: string, stream: StreamName): boolean {
  try {
    return where.holds(celEntry(body, stream));
  } catch (error) {
    if (error instanceof CelFault) return false;
    throw error;
  }
}

function truthOf(compiled: Compiled, entry: CelEntry): boolean {
  const value = compiled.evaluate(entry);
  if (typeof value === 'boolean') return value;
  throw new CelFault(`The condition is neither true nor false, but ${valueInWords(value)}.`);
}

function valueInWords(value: unknown): string {
  if (value === null) return 'null';
  if (Array.isArray(value)) return 'a list';
  if (typeof value === 'string') return 'a text';
  return typeof value === 'number' || typeof value === 'bigint' ? 'a number' : 'an object';
}

function typeInWords(type: string): string {
  const [kind = type] = type.split('<');
  return (
    {
      string: 'a text',
      int: 'a number',
      double: 'a number',
      computed: 'computed by +',
      list: 'a list',
      map: 'an object',
    }[kind] ?? `of type ${type}`
  );
}
