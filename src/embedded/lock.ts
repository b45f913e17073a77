import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { z } from 'zod';

import { identityOf } from './processes.ts';
import { createFile, parseState, readState, readText, writeState } from './state.ts';

/** Another process uses this data folder; the message names it. */
export class DataDirInUse extends Error {
  override name = 'DataDirInUse';
}

const Holder = z.object({ pid: z.int().positive(), identity: z.string(), address: z.string() });
type Holder = z.infer<typeof Holder>;

/** The exclusive use of a data folder, until it is released. */
export interface DataDirLock extends AsyncDisposable {
  /** Whether it was held by a process that was killed, whose children may still be ending. */
  takenOver: boolean;
  release(): Promise<void>;
}

/**
 * Allows one process at a time to use a data folder; `address` tells the next one where the first answers. A
 * lock whose process is gone, even if another process has its pid by now, is taken over by exactly one of the
 * processes that find it. Rejects with `DataDirInUse`.
 */
export async function lockDataDir(dataDir: string, address: string): Promise<DataDirLock> {
  const path = join(dataDir, 'lock.json');
  const mine: Holder = {
    pid: process.pid,
    identity: identityOf(process.pid) ?? `pid ${process.pid}`,
    address,
  };
  let takenOver = false;
  while (!(await createFile(path, textOf(mine)))) {
    const found = await readText(path);
    if (found === null) continue; // released meanwhile
    refuseIfAlive(found, dataDir);
    if (await succeed(path, found, mine)) {
      takenOver = true;
      break;
    }
  }

  async function release(): Promise<void> {
    if ((await readState(path, Holder))?.identity === mine.identity)
      await rm(path, { force: true });
  }
  return { takenOver, release, [Symbol.asyncDispose]: release };
}

/** The process that uses a data folder, or was killed while it did. */
export interface Running {
  pid: number;
  /** Where its API answers. */
  address: string;
  isAlive: boolean;
}

/** Finds the process that uses this data folder under `lockDataDir`; null when there is none. */
export async function findRunning(dataDir: string): Promise<Running | null> {
  const holder = await readState(join(dataDir, 'lock.json'), Holder);
  if (holder === null) return null;
  const { pid, address, identity } = holder;
  return { pid, address, isAlive: identityOf(pid) === identity };
}

/**
 * Takes over a stale lock; returns whether this process is now the holder. Of all processes that find
 * the same lock stale, only one can create the file that succeeds it; if that process is gone as well,
 * its file is succeeded in turn. Only the process that created the last file replaces the stale lock by
 * its own, then removes these files. A file created for a lock that has been replaced has no effect.
 */
async function succeed(path: string, stale: string, mine: Holder): Promise<boolean> {
  let last = stale;
  for (;;) {
    const next = successorOf(path, last);
    if (await createFile(next, textOf(mine))) {
      if ((await readText(path)) !== stale) {
        await rm(next, { force: true });
        return false;
      }
      await writeState(path, mine);
      await removeSuccessors(path);
      return true;
    }
    const found = await readText(next);
    if (found === null) return false; // another process was faster
    refuseIfAlive(found, dirname(path));
    last = found;
  }
}

/** The path of the file that succeeds the lock with this text. */
export function successorOf(path: string, text: string): string {
  return `${path}.${createHash('sha256').update(text).digest('hex').slice(0, 16)}`;
}

async function removeSuccessors(path: string): Promise<void> {
  const name = new RegExp(`^${RegExp.escape(basename(path))}\\.[0-9a-f]{16}$`, 'u');
  for (const file of await readdir(dirname(path)))
    if (name.test(file)) await rm(join(dirname(path), file), { force: true });
}

function refuseIfAlive(text: string, dataDir: string): void {
  const holder = parseState(text, Holder);
  if (holder === null || identityOf(holder.pid) !== holder.identity) return;
  throw new DataDirInUse(
    `Millrace already runs on ${dataDir}: process ${holder.pid}, ${holder.address}. Stop it first, or set MILLRACE_DATA_DIR to another folder.`,
  );
}

function textOf(holder: Holder): string {
  return `${JSON.stringify(holder)}\n`;
}
