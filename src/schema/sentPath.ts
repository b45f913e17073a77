/**
 * Whether a URL parser reads a path as a path, and leaves its segments alone (WHATWG URL): two leading slashes
 * begin a host, a backslash is a slash, and dot segments are removed.
 */
export function isSentAsWritten(value: string): boolean {
  const [path = ''] = value.split('?', 1);
  if (path.startsWith('//') || path.includes('\\')) return false;
  return path.split('/').every((segment) => !/^(?:\.|%2e){1,2}$/iu.test(segment));
}
