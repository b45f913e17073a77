// A setup file: it runs before each test file, in the process of that file.
import { setImmediate as turn, setTimeout as wait } from 'node:timers/promises';

import { getRequestListener } from '@hono/node-server';
import { afterAll, vi } from 'vitest';

// What two modules change for the whole process is so for each file, whatever was imported before it: how the driver
// reads numbers and times, and the Request and Response of a server.
import '../../src/db/db.ts';

getRequestListener(() => new Response());

declare module 'vitest' {
  export interface TaskMeta {
    /** What a test file has left in its process, in words; missing if the file did not come to its end. */
    leftovers?: string[];
  }
}

/** A process that has become larger than this runs no further file. */
const MOST_BYTES = 700 * 2 ** 20;
/** What was closed may take so long until it is gone. */
const GRACE_MS = 500;
const GRACE_STEP_MS = 10;
/** With these a file could decide what becomes of the whole process. */
const EVENTS = ['SIGINT', 'SIGTERM', 'SIGHUP', 'uncaughtException', 'unhandledRejection'];

const env = { ...process.env };
const folder = process.cwd();
const listeners = EVENTS.map((name) => process.listenerCount(name));
/** Of what is there before the file: what is put beside it changes nothing for other files. */
const globals = new Map(
  Object.entries(Object.getOwnPropertyDescriptors(globalThis)).filter(
    ([name]) => !name.startsWith('__vitest'),
  ),
);
const open = openResources();
open.delete('Timeout'); // Vitest's own, a tenth of a second long

// oxlint-disable-next-line no-empty-pattern -- Vitest reads the names of fixtures from it
afterAll(async ({}, file) => {
  const changed = changes();
  await turn(); // a server that was just told to listen does so
  let left = leftOpen();
  for (let ms = 0; changed.length === 0 && left.length > 0 && ms < GRACE_MS; ms += GRACE_STEP_MS) {
    await wait(GRACE_STEP_MS);
    left = leftOpen();
  }
  file.meta.leftovers = [...changed, ...left];
});

/** What is not as it was before the file. */
function changes(): string[] {
  const found: string[] = [];
  if (vi.isFakeTimers()) found.push('a faked clock');
  if (process.cwd() !== folder) found.push('another working folder');
  for (const name of new Set([...Object.keys(env), ...Object.keys(process.env)])) {
    if (env[name] !== process.env[name]) found.push(`the variable ${name}`);
  }
  for (const [name, before] of globals) {
    const now = Object.getOwnPropertyDescriptor(globalThis, name);
    if (vi.isMockFunction(now?.value)) continue; // restored after each file
    const isSame = Object.is(now?.value, before.value) && now?.get === before.get;
    if (!isSame) found.push(`another ${name}`);
  }
  for (const [index, name] of EVENTS.entries()) {
    if (process.listenerCount(name) !== listeners[index]) found.push(`a listener of ${name}`);
  }
  if (process.memoryUsage.rss() > MOST_BYTES) found.push('a process that is too large');
  return found;
}

/** Timers, sockets, servers and child processes that there are more of than before the file. */
function leftOpen(): string[] {
  return [...openResources()]
    .map(([kind, count]): [string, number] => [kind, count - (open.get(kind) ?? 0)])
    .filter(([, more]) => more > 0)
    .map(([kind, more]) => `${more} × ${kind}`);
}

function openResources(): Map<string, number> {
  const counts = new Map<string, number>();
  for (const kind of process.getActiveResourcesInfo()) {
    counts.set(kind, (counts.get(kind) ?? 0) + 1);
  }
  return counts;
}
