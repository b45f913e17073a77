import { randomBytes } from 'node:crypto';
import { readFile } from 'node:fs/promises';
import { join } from 'node:path';

import { createFile } from './state.ts';

/** The API key and the encryption keys of a data folder. */
export interface DevelopmentKeys {
  /** The configured API key (`mk_…`), which has every scope. */
  apiKey: string;
  /** In the form of `MILLRACE_ENCRYPTION_KEYS`. */
  encryptionKeys: string;
}

/** Returns keys for development, created once and kept in the data folder for its owner only (0600). */
export async function developmentKeys(dataDir: string): Promise<DevelopmentKeys> {
  return {
    apiKey: await keepApiKey(dataDir),
    encryptionKeys: await keep(
      join(dataDir, 'encryption-keys'),
      () => `dev:${randomBytes(32).toString('base64')}`,
    ),
  };
}

/** Returns the configured API key, created once and kept in the data folder for its owner only (0600). */
export function keepApiKey(dataDir: string): Promise<string> {
  return keep(join(dataDir, 'api-key'), () => `mk_${randomBytes(32).toString('base64url')}`);
}

async function keep(path: string, create: () => string): Promise<string> {
  await createFile(path, `${create()}\n`);
  return (await readFile(path, 'utf8')).trim();
}
