import { randomBytes } from 'node:crypto';
import { chmod, mkdir, readFile, writeFile } from 'node:fs/promises';
import { homedir } from 'node:os';
import { join } from 'node:path';

/** The folder of this user's CLI configuration. */
export function configFolder(env: NodeJS.ProcessEnv): string {
  const base = env['XDG_CONFIG_HOME'] || join(env['HOME'] || homedir(), '.config');
  return join(base, 'millrace');
}

/** Returns the signing secret of `millrace listen`, created once and kept for its owner only (0600). */
export async function keepListenSecret(env: NodeJS.ProcessEnv): Promise<string> {
  const folder = configFolder(env);
  const path = join(folder, 'listen-secret');
  await mkdir(folder, { recursive: true, mode: 0o700 });
  try {
    const secret = `whsec_${randomBytes(32).toString('base64')}`;
    await writeFile(path, `${secret}\n`, { flag: 'wx', mode: 0o600 });
    return secret;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw error;
  }
  await chmod(path, 0o600);
  return (await readFile(path, 'utf8')).trim();
}
