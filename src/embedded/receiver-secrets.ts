import { loadConfig } from '../config.ts';
import { openDb } from '../db.ts';
import { createVault } from '../secrets.ts';
import type { Vault } from '../secrets.ts';

export interface SecretReader extends AsyncDisposable {
  /** Every target's signing secrets. Throws when Postgres is away. */
  read(): Promise<string[]>;
}

/** Opens the sealed signing secrets of all targets, so that the development receiver can verify. */
export function createSecretReader(options: {
  databaseUrl: () => string;
  encryptionKeys: string;
}): SecretReader {
  const keys = loadConfig({ MILLRACE_ENCRYPTION_KEYS: options.encryptionKeys }, 'dev');
  const vault = createVault(keys.encryptionKeys);
  let open = { url: '', db: null as ReturnType<typeof openDb> | null };

  async function database(): Promise<ReturnType<typeof openDb>> {
    const url = options.databaseUrl();
    if (open.db !== null && open.url === url) return open.db;
    await open.db?.close();
    const db = openDb({
      url,
      max: 1,
      applicationName: 'millrace receiver',
      onError: () => undefined, // the next read says it
    });
    open = { url, db };
    return db;
  }

  return {
    read: async () => {
      const db = await database();
      const { rows } = await db.query<{ id: string; sealed: string }>(
        'select id, signing_secret as sealed from targets order by created_at desc limit 1000',
      );
      return rows.flatMap(({ id, sealed }) => openSecrets(vault, id, sealed));
    },
    [Symbol.asyncDispose]: async () => {
      await open.db?.close();
    },
  };
}

/** One, or several in one sealed text while an old one still signs. */
function openSecrets(vault: Vault, id: string, sealed: string): string[] {
  try {
    const text = vault.open(sealed, `targets:signing_secret:${id}`);
    return text.match(/whsec_[A-Za-z0-9+/=]+/gu) ?? [];
  } catch {
    return []; // sealed with a key of another time: its deliveries show as not verified
  }
}
