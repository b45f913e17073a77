import { randomInt } from 'node:crypto';
import { chmod, link, mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { createServer } from 'node:net';
import { resolve } from 'node:path';

import type { z } from 'zod';

/** Creates the data folder if needed, passable for the user of Postgres, and returns its full path. */
export async function openDataDir(dataDir: string): Promise<string> {
  const path = resolve(dataDir);
  const made = await mkdir(path, { recursive: true });
  if (made !== undefined) await chmod(path, 0o711); // overrides the umask; files in it are 0600
  return path;
}

/** Reads a state file of the data folder; null when it is missing or does not have this shape. */
export async function readState<T>(path: string, shape: z.ZodType<T>): Promise<T | null> {
  const text = await readText(path);
  return text === null ? null : parseState(text, shape);
}

/** Reads a file; null when it does not exist. */
export async function readText(path: string): Promise<string | null> {
  try {
    return await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw error;
  }
}

/** Parses the text of a state file; null when it does not have this shape. */
export function parseState<T>(text: string, shape: z.ZodType<T>): T | null {
  try {
    return shape.parse(JSON.parse(text));
  } catch {
    return null; // cut short by a full disk, or changed by hand: as good as none
  }
}

/** Replaces the file atomically; only its owner can read it. */
export async function writeState(path: string, value: unknown): Promise<void> {
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, `${JSON.stringify(value, null, 2)}\n`, { mode: 0o600 });
  await rename(draft, path);
}

/** Creates the file completely or not at all; false when it exists. Only its owner can read it. */
export async function createFile(path: string, text: string): Promise<boolean> {
  const draft = `${path}.${process.pid}.tmp`;
  await writeFile(draft, text, { mode: 0o600, flush: true });
  try {
    await link(draft, path);
    return true;
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'EEXIST') return false;
    throw error;
  } finally {
    await rm(draft, { force: true });
  }
}

/**
 * Returns the kept port while it is free, otherwise another free one that is not in `taken`. It is below
 * the range from which systems assign ports to outgoing connections, so that a restart finds it free.
 */
export async function choosePort(kept: number | undefined, taken: number[] = []): Promise<number> {
  if (kept !== undefined && (await isPortFree(kept))) return kept;
  for (let tries = 0; tries < 100; tries++) {
    const port = randomInt(20_000, 32_000);
    if (!taken.includes(port) && (await isPortFree(port))) return port;
  }
  throw new Error('no free port between 20000 and 32000 on 127.0.0.1');
}

/** Whether a server could listen there now. Rejects when the address does not belong to this machine. */
export async function isPortFree(port: number, host = '127.0.0.1'): Promise<boolean> {
  const { promise, resolve: done, reject } = Promise.withResolvers<boolean>();
  const probe = createServer();
  probe.once('error', (error: NodeJS.ErrnoException) => {
    if (error.code === 'EADDRINUSE') done(false);
    else reject(error);
  });
  probe.listen({ port, host, exclusive: true }, () => probe.close(() => done(true)));
  return promise;
}
