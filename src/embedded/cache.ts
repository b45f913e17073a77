import { homedir } from 'node:os';
import { join } from 'node:path';

/** Millrace's folder in the user's cache, by the XDG base directory specification. */
export function userCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'millrace');
}
