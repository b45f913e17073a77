import { randomUUIDv7 } from 'node:crypto';

/** A new UUIDv7 (RFC 9562): ids sort by the time they were made. */
export function newId(): string {
  return randomUUIDv7();
}

const UUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/iu;

/** Whether Postgres takes it as a uuid in the form that the API hands out. */
export function isId(value: string): boolean {
  return UUID.test(value);
}
