import { createHmac, createSecretKey, randomBytes } from 'node:crypto';

/** Signs one attempt. `id` must not contain a "."; `timestamp` is in unix seconds. */
export type Signer = (id: string, timestamp: number, body: Buffer | string) => string;

/**
 * Signs by Standard Webhooks (standardwebhooks.com, spec "Signature scheme"): for each secret, `v1,`
 * and the base64 HMAC-SHA256 of `id.timestamp.body`, separated by blanks. From `previousUntil`
 * (unix ms) on only the first secret signs. Secrets are imported once, so create one signer per
 * target and version.
 */
export function createSigner(
  secrets: readonly string[],
  previousUntil: number | null = null,
): Signer {
  const keys = secrets.map((secret) => createSecretKey(signingKey(secret)));
  if (keys.length === 0) throw new Error('a signer needs at least one signing secret');
  const until = previousUntil === null ? Infinity : previousUntil / 1_000;
  return (id, timestamp, body) => {
    const prefix = `${id}.${timestamp}.`;
    const one = (key: (typeof keys)[number]): string =>
      `v1,${createHmac('sha256', key).update(prefix).update(body).digest('base64')}`;
    return keys.length === 1 || timestamp >= until ? one(keys[0]!) : keys.map(one).join(' ');
  };
}

function signingKey(secret: string): Buffer {
  const encoded = secret.startsWith('whsec_') ? secret.slice('whsec_'.length) : secret;
  const key = Buffer.from(encoded, 'base64');
  if (key.length === 0) throw new Error('a signing secret must be whsec_ and base64');
  return key;
}

/** Returns a Standard Webhooks secret: `whsec_` and the base64 of `bytes`, 32 random ones by default. */
export function newSigningSecret(bytes: Buffer = randomBytes(32)): string {
  return `whsec_${bytes.toString('base64')}`;
}
