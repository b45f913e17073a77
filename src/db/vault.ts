import {
  createCipheriv,
  createDecipheriv,
  createSecretKey,
  randomBytes,
  type KeyObject,
} from 'node:crypto';

/** Seals secrets at rest; what is sealed opens only with the same `aad` (`table:column:row id`). */
export interface Vault {
  seal(plain: string, aad: string): string;
  open(sealed: string, aad: string): string;
  /** The id of the key that seals. */
  readonly activeKey: string;
}

export interface VaultKey {
  /** Named in what it seals; letters, digits, `_` and `-`. */
  id: string;
  /** 32 bytes. */
  key: Buffer;
}

const CIPHER = 'aes-256-gcm';
/** NIST SP 800-38D: 96 random bits of IV, 128 of tag. */
const IV_BYTES = 12;
const TAG_BYTES = 16;

/**
 * AES-256-GCM under the first key; opens what any of the keys has sealed. The sealed form is
 * `v1.<key id>.<iv>.<ciphertext>.<tag>`, parts base64url. Throws on an unknown key or on text
 * that was changed or moved to another row; no message holds any of the secret.
 */
export function createVault(keys: readonly VaultKey[]): Vault {
  const imported = new Map<string, KeyObject>();
  for (const { id, key } of keys) {
    if (!/^[\w-]+$/u.test(id))
      throw new Error(`encryption key id "${id}" may hold A–Z a–z 0–9 _ -`);
    if (key.length !== 32) throw new Error(`encryption key "${id}" must have 32 bytes`);
    if (imported.has(id)) throw new Error(`encryption key id "${id}" is there twice`);
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
        `${aad} is sealed with encryption key "${id}", which MILLRACE_ENCRYPTION_KEYS does not hold`,
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
      throw new Error(`${aad} does not open with encryption key "${id}": changed or moved`, {
        cause: error,
      });
    }
  }

  return { seal, open, activeKey: active };
}
