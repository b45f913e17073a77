import { openDb } from '../db/db.ts';
import { isDatabaseAway } from '../db/errors.ts';
import { reseal } from '../db/reseal.ts';
import { createVault } from '../db/vault.ts';
import { ConfigError, loadConfig } from '../process/config.ts';
import { CliError, describe, EXIT } from './exit.ts';

const DOCTOR = '  millrace doctor says more; DATABASE_URL names another';

/**
 * `millrace keys rotate`: seals every stored secret with the first of `MILLRACE_ENCRYPTION_KEYS`.
 * stdout gets one line of JSON: `{ active_key, columns: [{ column, resealed, unopened }] }`. Returns the
 * exit code: 0 when everything is sealed with it, 1 when a secret could not be unsealed, 2 when a
 * variable is wrong. Rejects with a `CliError` when Postgres does not answer.
 */
export async function runKeysRotate({ env }: { env: NodeJS.ProcessEnv }): Promise<number> {
  try {
    const config = loadConfig(env, 'server');
    const vault = createVault(config.encryptionKeys);
    await using db = openDb({
      url: config.databaseUrl,
      max: 1,
      applicationName: 'millrace keys',
      onError: () => undefined, // a lost connection also fails the query on it
    });
    const columns = await reseal({ db, vault });
    for (const { column, resealed, unopened } of columns) {
      say(`${column}: ${resealed} sealed with key "${vault.activeKey}"`);
      for (const one of unopened) say(`None of MILLRACE_ENCRYPTION_KEYS opens ${one}`);
    }
    process.stdout.write(`${JSON.stringify({ active_key: vault.activeKey, columns })}\n`);
    return columns.every(({ unopened }) => unopened.length === 0) ? 0 : 1;
  } catch (error) {
    if (isDatabaseAway(error)) {
      const why = describe(error);
      throw new CliError(EXIT.unavailable, `Postgres can't be used: ${why}`, DOCTOR);
    }
    if (!(error instanceof ConfigError)) throw error;
    say(error.message);
    return EXIT.usage;
  }
}

function say(line: string): void {
  process.stderr.write(`${line}\n`);
}
