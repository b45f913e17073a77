import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

import { usage } from './exit.ts';

/** The folder of this user's CLI configuration. */
export function configFolder(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(base, 'millrace');
}

/** Whether a text is a signing secret: `whsec_` and base64. */
export function isSecret(text: string): boolean {
  return /^whsec_[A-Za-z0-9+/]{16,}={0,2}$/u.test(text);
}

/**
 * Returns the signing secret of `millrace listen`, created once and kept readable by its owner only (0600).
 * Rejects with a `CliError` that names the file when it can't be stored or is malformed.
 */
export async function keepListenSecret(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = configFolder(env);
  const path = join(folder, 'listen-secret');
  let kept: string;
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    kept = (await created(path)) ?? (await read(path));
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw usage(`The signing secret can't be kept in ${path} (${code})`, BY_FLAG);
  }
  if (isSecret(kept)) return kept;
  throw usage(`${path} holds no signing secret; remove it, and a new one is created`, BY_FLAG);
}

const BY_FLAG = '  --secret signs with another one';

/** A new secret in a new file; null if there is a file already. */
async function created(path: string): Promise<string | null> {
  const secret = `whsec_${randomBytes(32).toString('base64')}`;
  try {
    await writeFile(path, `${secret}\n`, { flag: 'wx', mode: 0o600 });
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return null;
    throw error;
  }
}

async function read(path: string): Promise<string> {
  await chmod(path, 0o600);
  return (await readFile(path, 'utf8')).trim();
}
