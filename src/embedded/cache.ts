import { homedir } from 'node:os';
import { join } from 'node:path';

/** The user's cache folder of Millrace, by the XDG base directory specification. */
export function userCacheDir(env: NodeJS.ProcessEnv = process.env): string {
  const base = env['XDG_CACHE_HOME'];
  return join(base?.startsWith('/') === true ? base : join(homedir(), '.cache'), 'millrace');
}
