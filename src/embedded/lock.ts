import { createHash } from 'node:crypto';
import { readdir, rm } from 'node:fs/promises';
import { basename, dirname, join } from 'node:path';

import { z } from 'zod';

import { identityOf } from './processes.ts';
import { createFile, parseState, readState, readText, writeState } from './state.ts';

/** Another process works on this data folder; the message names it. */
export class DataDirInUse extends Error {
  override name = 'DataDirInUse';
}

const Holder = z.object({ pid: z.int().positive(), identity: z.string(), address: z.string() });
type Holder = z.infer<typeof Holder>;

export interface DataDirLock extends AsyncDisposable {
  /** A process held it that was killed: what it had started may still be winding up. */
  takenOver: boolean;
  release(): Promise<void>;
}

/**
 * One process a data folder. `address` tells the second one where the first answers. A lock whose
 * process is gone, also when its pid has passed to another one, is taken over, by one of those who
 * find it so. Throws `DataDirInUse`.
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

/**
 * Whether this process is now the holder, after one that is gone. Of those who find the same lock stale
 * one can make the file that succeeds it; a successor that is gone is succeeded in its turn. Only who
 * made the last one puts its own lock in place of the stale one, and then removes these files; so one
 * that is made for a lock which is no longer in place counts for nothing.
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
    if (found === null) return false; // someone else was the last one
    refuseIfAlive(found, dirname(path));
    last = found;
  }
}

/** Of a lock that says `text`. */
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
