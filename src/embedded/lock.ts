import { link, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { z } from 'zod';
import { identityOf } from './processes.ts';
import { createFile, readState } from './state.ts';

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
 * process is gone, also when its pid has passed to another one, is taken over. Throws `DataDirInUse`.
 */
export async function lockDataDir(dataDir: string, address: string): Promise<DataDirLock> {
  const path = join(dataDir, 'lock.json');
  const mine: Holder = {
    pid: process.pid,
    identity: identityOf(process.pid) ?? `pid ${process.pid}`,
    address,
  };
  let takenOver = false;
  for (;;) {
    if (await createFile(path, `${JSON.stringify(mine)}\n`)) break;
    const holder = await readState(path, Holder);
    if (holder !== null && identityOf(holder.pid) === holder.identity) {
      throw new DataDirInUse(
        `Millrace already runs on ${dataDir}: process ${holder.pid}, ${holder.address}. Stop it first, or set MILLRACE_DATA_DIR to another folder.`,
      );
    }
    takenOver = true;
    await removeStale(path, holder);
  }

  async function release(): Promise<void> {
    const holder = await readState(path, Holder);
    if (holder?.identity === mine.identity) await rm(path, { force: true });
  }
  return { takenOver, release, [Symbol.asyncDispose]: release };
}

/** Moves the file aside first, so that of two processes that found it stale one is too late. */
async function removeStale(path: string, stale: Holder | null): Promise<void> {
  const aside = `${path}.${process.pid}.stale`;
  try {
    await rename(path, aside);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return; // the other one was first
    throw error;
  }
  const moved = await readState(aside, Holder);
  if (moved !== null && moved.identity !== stale?.identity) {
    await link(aside, path).catch(() => undefined); // a fresh lock put back, unless a third is there
  }
  await rm(aside, { force: true });
}
