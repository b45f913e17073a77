import { hkdfSync, randomBytes } from 'node:crypto';

import { newId } from './ids.ts';

/**
 * The source from which a request creates something new. A request that is repeated with its `Idempotency-Key`
 * gets the same seed, even after a crash, and so finds what it has already created.
 */
export interface Seed {
  /** The id of the thing that is created. */
  id: string;
  /** 32 random bytes. */
  bytes: Buffer;
}

const BYTES = 32;

/** Draws a new seed. */
export function newSeed(): Seed {
  return { id: newId(), bytes: randomBytes(BYTES) };
}

/** Derives 32 bytes for one purpose, as good as random without the seed (HKDF-SHA-256, RFC 5869). */
export function secretFor(purpose: 'api key' | 'signing secret', { bytes: seed }: Seed): Buffer {
  return Buffer.from(hkdfSync('sha256', seed, '', `millrace ${purpose}`, BYTES));
}
