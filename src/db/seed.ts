import { hkdfSync, randomBytes } from 'node:crypto';

import { newId } from './ids.ts';

/**
 * What a request makes something new of. Repeated with its `Idempotency-Key` it gets the same again,
 * also after a crash: so whoever makes something finds that it is there already.
 */
export interface Seed {
  /** The new thing's. */
  id: string;
  /** 32 random bytes. */
  bytes: Buffer;
}

const BYTES = 32;

export function newSeed(): Seed {
  return { id: newId(), bytes: randomBytes(BYTES) };
}

/** 32 bytes for one purpose, as good as random to whoever lacks the seed (HKDF-SHA-256, RFC 5869). */
export function secretFor(purpose: 'api key' | 'signing secret', { bytes: seed }: Seed): Buffer {
  return Buffer.from(hkdfSync('sha256', seed, '', `millrace ${purpose}`, BYTES));
}
