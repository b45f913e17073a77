/** What of a form may be kept: the fields named here alone, each as long as its check holds. */
export interface Form<T extends object> {
  name: string;
  /** Another one for another meaning of the fields: what older ones kept is forgotten. */
  version: number;
  fields: { [K in keyof T]?: (value: unknown) => boolean };
}

/** What is kept of a form, as text; null when nothing of it differs from the form as it begins. */
export function printKept<T extends object>(
  { version, fields }: Form<T>,
  filled: T,
  blank: T,
): string | null {
  const kept = allowed(fields, filled);
  if (JSON.stringify(kept) === JSON.stringify(allowed(fields, blank))) return null;
  return JSON.stringify({ version, fields: kept });
}

/** What was kept of a form; null unless it is of this version. A field of another shape is left out. */
export function parseKept<T extends object>(
  { version, fields }: Form<T>,
  text: string | null,
): Partial<T> | null {
  if (text === null) return null;
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return null; // whatever it is, it is not ours
  }
  if (!isObject(kept) || kept['version'] !== version || !isObject(kept['fields'])) return null;
  return allowed(fields, kept['fields'] as Partial<T>);
}

export function isText(value: unknown): value is string {
  return typeof value === 'string';
}

export function areTexts(value: unknown): value is string[] {
  return Array.isArray(value) && value.every(isText);
}

export function oneOf(...words: readonly string[]): (value: unknown) => boolean {
  return (value) => words.some((word) => word === value);
}

function allowed<T extends object>(fields: Form<T>['fields'], values: Partial<T>): Partial<T> {
  const names = Object.keys(fields) as (keyof T)[];
  return Object.fromEntries(
    names
      .filter((name) => fields[name]?.(values[name]) === true)
      .map((name) => [name, values[name]]),
  ) as Partial<T>;
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
