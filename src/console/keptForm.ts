/** Which fields of a form may be kept: only those named here, each as long as its check holds. */
export interface Form<T extends object> {
  name: string;
  /** Changes with the meaning of the fields; what another version has kept is forgotten. */
  version: number;
  fields: { [K in keyof T]?: (value: unknown) => boolean };
}

/** The text that is kept of a form; null when no field differs from the form as it begins. */
export function printKept<T extends object>(
  { version, fields }: Form<T>,
  filled: T,
  blank: T,
): string | null {
  const kept = allowed(fields, filled);
  if (JSON.stringify(kept) === JSON.stringify(allowed(fields, blank))) return null;
  return JSON.stringify({ version, fields: kept });
}

/** Reads what was kept of a form; null unless it is of this version. A field of another shape is left out. */
export function parseKept<T extends object>(
  { version, fields }: Form<T>,
  text: string | null,
): Partial<T> | null {
  if (text === null) return null;
  let kept: unknown;
  try {
    kept = JSON.parse(text);
  } catch {
    return null; // it was not written by the console
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

export function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
