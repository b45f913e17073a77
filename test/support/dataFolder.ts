import { statfsSync } from 'node:fs';
import { chmod, mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

const MEMORY = '/dev/shm';
/** More than all servers of a run take at the same time. */
const ROOM_BYTES = 4 * 1024 ** 3;

/** Where folders of servers may have been left by a run that was killed. */
export const DATA_ROOTS: readonly string[] =
  freeBytes(MEMORY) > 0 ? [MEMORY, tmpdir()] : [tmpdir()];

/**
 * An empty folder for the data of servers, which may run as another user. It is in memory where there is room, as a
 * database is created there in a tenth of the time; who is killed by -9 finds the same files as on a disk.
 */
export async function makeDataFolder(prefix: string): Promise<string> {
  const root = freeBytes(MEMORY) > ROOM_BYTES ? MEMORY : tmpdir();
  const folder = await mkdtemp(join(root, prefix));
  await chmod(folder, 0o711); // Postgres runs as another user when we are root
  return folder;
}

/** 0 where there is no such file system. */
function freeBytes(path: string): number {
  try {
    const { bavail, bsize } = statfsSync(path);
    return bavail * bsize;
  } catch {
    return 0; // not a Linux
  }
}
