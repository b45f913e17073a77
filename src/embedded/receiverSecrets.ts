import { openDb } from '../db/db.ts';
import { createVault, type Vault } from '../db/vault.ts';
import { loadConfig } from '../process/config.ts';

/** Reads signing secrets until it is disposed of. */
export interface SecretReader extends AsyncDisposable {
  /** Reads current and previous secrets of the newest 1,000 targets. Rejects when Postgres is away. */
  read(): Promise<string[]>;
}

/** Unseals the signing secrets of targets, so that the development receiver can verify webhooks. */
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
      onError: () => undefined, // the next read fails with it
    });
    open = { url, db };
    return db;
  }

  return {
    read: async () => {
      const db = await database();
      const { rows } = await db.query<{ aad: string; sealed: string }>(`
        select one.aad, one.sealed
          from (select * from targets order by created_at desc limit 1000) t,
               lateral (values
                 ('targets:signing_secret:' || t.id, t.signing_secret),
                 ('targets:signing_secret_previous:' || t.id, t.signing_secret_previous)) one (aad, sealed)
         where one.sealed is not null`);
      return rows.flatMap(({ aad, sealed }) => openSecret(vault, aad, sealed));
    },
    [Symbol.asyncDispose]: async () => {
      await open.db?.close();
    },
  };
}

function openSecret(vault: Vault, aad: string, sealed: string): string[] {
  try {
    return [vault.open(sealed, aad)];
  } catch {
    return []; // sealed with an encryption key that is gone: its webhooks count as not verified
  }
}
