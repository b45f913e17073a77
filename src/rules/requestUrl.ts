/**
 * Path and query of a consumer's webhooks: its path is joined to that of the target, and so are both queries. Null
 * when the consumer's path can't be read as a path of a URL.
 */
export function requestPath(target: URL, path: string): string | null {
  if (path === '') return `${target.pathname}${target.search}`;
  const extra = URL.parse(path, target.origin);
  if (extra === null || extra.origin !== target.origin) return null;
  const joined = `${target.pathname.replace(/\/$/u, '')}${extra.pathname}`;
  const query = [target.search.slice(1), extra.search.slice(1)]
    .filter((part) => part !== '')
    .join('&');
  return query === '' ? joined : `${joined}?${query}`;
}

/** The URL that a consumer's webhooks go to; null when it is not a valid URL. */
export function requestUrl(baseUrl: string, path: string): string | null {
  const target = URL.parse(baseUrl);
  const joined = target === null ? null : requestPath(target, path);
  return target === null || joined === null ? null : `${target.origin}${joined}`;
}
