/** Reads the search parameters of an address as texts, so that a filter of digits stays a text. */
export function parseSearch(text: string): Record<string, string> {
  return Object.fromEntries(new URLSearchParams(text));
}

/** The address of a search, without empty parameters. */
export function printSearch(search: Record<string, unknown>): string {
  const kept = Object.entries(search).filter(
    ([, value]) => value !== undefined && value !== null && value !== '',
  );
  const text = new URLSearchParams(
    kept.map(([name, value]): [string, string] => [name, String(value)]),
  ).toString();
  return text === '' ? '' : `?${text}`;
}

/** One parameter as text. */
export function textOf(search: Record<string, unknown>, name: string): string | undefined {
  const value = search[name];
  return typeof value === 'string' && value !== '' ? value : undefined;
}

/** One parameter that is one of a few words; any other value counts as missing. */
export function wordOf<W extends string>(
  search: Record<string, unknown>,
  name: string,
  words: readonly W[],
): W | undefined {
  return words.find((word) => word === search[name]);
}

/** The parameters that have a value. */
export function onlyGiven<T extends object>(search: T): Given<T> {
  const given = Object.entries(search).filter(([, value]) => value !== undefined);
  return Object.fromEntries(given) as Given<T>;
}

type Given<T> = { [name in keyof T]?: Exclude<T[name], undefined> };
