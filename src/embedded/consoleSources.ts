import { createHash } from 'node:crypto';
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

const FOLDER = 'src/console';
/** An import or re-export of a file by its relative path, unless it is of types alone. */
const RUN_TIME_IMPORT = /^(?:import|export)(?!\s+type\b)[^;]*?from '(\.[^']+)';$/gmu;

/**
 * A hash that changes whenever the console would: over the console's folder, the modules that it imports at run
 * time from elsewhere, and the versions of the packages they use.
 */
export async function stampOfSources(root: string): Promise<string> {
  const hash = createHash('sha256');
  for (const file of await consoleSources(root)) {
    hash.update(`${file}\n`).update(await readFile(join(root, file)));
  }
  const manifest = JSON.parse(await readFile(join(root, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  return hash.update(JSON.stringify(manifest.devDependencies)).digest('hex');
}

/**
 * The files below `root` from which the console is built, in order: all of its folder, and those outside of it
 * that its modules import at run time, directly or indirectly.
 */
export async function consoleSources(root: string): Promise<string[]> {
  const entries = await readdir(join(root, FOLDER), { recursive: true, withFileTypes: true });
  const files = entries.filter((entry) => entry.isFile());
  const found = new Set(
    files.map(({ parentPath, name }) => relative(root, join(parentPath, name))),
  );
  for (const file of found) {
    if (!/\.tsx?$/u.test(file)) continue;
    const text = await readFile(join(root, file), 'utf8');
    for (const [, path = ''] of text.matchAll(RUN_TIME_IMPORT)) {
      const imported = relative(root, resolve(root, dirname(file), path));
      if (!imported.startsWith(`${FOLDER}/`)) found.add(imported); // visited in its turn
    }
  }
  return [...found].toSorted();
}
