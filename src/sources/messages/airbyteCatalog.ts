import type { KeyFields } from './message.ts';

/**
 * The primary keys in a configured catalog of Airbyte, by stream: the configured one, else that which the source
 * defines. Null when the value is no such catalog.
 */
export function keysOfCatalog(catalog: unknown): Map<string, KeyFields> | null {
  const streams = memberOf(catalog, 'streams');
  if (!Array.isArray(streams)) return null;
  const keys = new Map<string, KeyFields>();
  for (const configured of streams) {
    const stream = memberOf(configured, 'stream');
    const name = memberOf(stream, 'name');
    if (typeof name !== 'string') return null;
    const namespace = memberOf(stream, 'namespace');
    const isIn = typeof namespace === 'string' && namespace !== '';
    const key = keyOf(memberOf(configured, 'primary_key'));
    const own = keyOf(memberOf(stream, 'source_defined_primary_key'));
    keys.set(isIn ? `${namespace}.${name}` : name, key.length > 0 ? key : own);
  }
  return keys;
}

/** A list of paths; nothing when it has another shape. */
function keyOf(value: unknown): KeyFields {
  const isKey =
    Array.isArray(value) &&
    value.every((path) => Array.isArray(path) && path.every((name) => typeof name === 'string'));
  return isKey ? value : [];
}

function memberOf(value: unknown, name: string): unknown {
  return typeof value === 'object' && value !== null && Object.hasOwn(value, name)
    ? (value as Record<string, unknown>)[name]
    : undefined;
}
