import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createFile } from './state.ts';

export interface DevelopmentKeys {
  /** `mk_…`: the bootstrap admin key. */
  apiKey: string;
  /** The form of `MILLRACE_ENCRYPTION_KEYS`. */
  encryptionKeys: string;
}

/** Keys for development, made once and kept in the data folder for its owner alone (0600). */
export async function developmentKeys(dataDir: string): Promise<DevelopmentKeys> {
  return {
    apiKey: await keepApiKey(dataDir),
    encryptionKeys: await keep(
      join(dataDir, 'encryption-keys'),
      () => `dev:${randomBytes(32).toString('base64')}`,
    ),
  };
}

/** The bootstrap admin key, made once and kept in the data folder for its owner alone. */
export function keepApiKey(dataDir: string): Promise<string> {
  return keep(join(dataDir, 'api-key'), () => `mk_${randomBytes(32).toString('base64url')}`);
}

async function keep(path: string, make: () => string): Promise<string> {
  await createFile(path, `${make()}\n`);
  return (await readFile(path, 'utf8')).trim();
}
