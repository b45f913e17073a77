import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

/** Seals secrets for storage. A sealed text opens only with the same `aad` (`table:column:row id`). */
export interface Vault {
  seal(plain: string, aad: string): string;
  open(sealed: string, aad: string): string;
  /** The id of the key that seals. */
  readonly activeKey: string;
}

/** A key that seals and opens. */
export interface VaultKey {
  /** Letters, digits, `_` and `-`; the sealed text names it. */
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

const CIPHER = 'aes-256-gcm';
/** NIST SP 800-38D: an IV of 96 random bits and a tag of 128 bits. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * Creates a vault that seals with AES-256-GCM under the first key, and opens what any of the keys
 * has sealed. The sealed form is `v1.<key id>.<iv>.<ciphertext>.<tag>`, the last three in base64url.
 * `open` throws for an unknown key and for a text that was changed or moved to another row; no
 * message holds any part of the secret.
 */
export function createVault(keys: readonly VaultKey[]): Vault {
  const imported = new Map<string, KeyObject>();
  for (const { id, key } of keys) {
    if (!/^[\w-]+$/u.test(id))
      throw new Error(`encryption key id "${id}" may contain only A–Z a–z 0–9 _ -`);
    if (key.length !== 32) throw new Error(`encryption key "${id}" must have 32 bytes`);
    if (imported.has(id)) throw new Error(`encryption key id "${id}" occurs twice`);
    imported.set(id, createSecretKey(key));
  }
  const active = keys[0]?.id;
  if (active === undefined) throw new Error('at least one encryption key is needed');
  const activeKey = imported.get(active) as KeyObject;

  function seal(plain: string, aad: string): string {
    const iv = randomBytes(IV_BYTES);
    const cipher = createCipheriv(CIPHER, activeKey, iv, { authTagLength: TAG_BYTES });
    cipher.setAAD(Buffer.from(aad));
    const text = Buffer.concat([cipher.update(plain, 'utf8'), cipher.final()]);
    const parts = [iv, text, cipher.getAuthTag()].map((part) => part.toString('base64url'));
    return ['v1', active, ...parts].join('.');
  }

  function open(sealed: string, aad: string): string {
    const [version, id, iv, text, tag, ...rest] = sealed.split('.');
    if (version !== 'v1' || id === undefined || tag === undefined || rest.length > 0) {
      throw new Error(`${aad} is not in the sealed form v1.<key>.<iv>.<ciphertext>.<tag>`);
    }
    const key = imported.get(id);
    if (key === undefined) {
      throw new Error(
        `${aad} is sealed with encryption key "${id}", which is not in MILLRACE_ENCRYPTION_KEYS`,
      );
    }
    try {
      const decipher = createDecipheriv(CIPHER, key, Buffer.from(iv ?? '', 'base64url'), {
        authTagLength: TAG_BYTES,
      });
      decipher.setAAD(Buffer.from(aad));
      decipher.setAuthTag(Buffer.from(tag, 'base64url'));
      const plain = [decipher.update(Buffer.from(text ?? '', 'base64url')), decipher.final()];
      return Buffer.concat(plain).toString('utf8');
    } catch (error) {
      throw new Error(`${aad} does not open with encryption key "${id}": it was changed or moved`, {
        cause: error,
      });
    }
  }

  return { seal, open, activeKey: active };
}
