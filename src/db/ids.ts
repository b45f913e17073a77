import { randomUUIDv7 } from 'node:crypto';

/** Returns a new UUIDv7 (RFC 9562); such ids sort by the time of their creation. */
export function newId(): string {
  return randomUUIDv7();
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;

/** Whether a text is a UUID in the form that the API hands out, which Postgres accepts. */
export function isId(value: string): boolean {
  return UUID.test(value);
}
