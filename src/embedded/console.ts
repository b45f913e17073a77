import { spawn } from 'node:child_process';
import { randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { stampOfSources } from './consoleSources.ts';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCE = join(ROOT, 'src/console');
const BUILT = join(ROOT, 'dist/console');
/** The file of a build that holds the stamp of the sources it was made from. */
const STAMP = '.stamp';

if (import.meta.main) await ensureConsole((line) => process.stderr.write(`${line}\n`));

/**
 * Builds the console into dist/console where it is missing, or older than its sources or packages;
 * says so. Several processes may do so concurrently: the last one finds it made. Rejects with what
 * the build printed when it fails.
 */
export async function ensureConsole(say: (line: string) => void, built = BUILT): Promise<void> {
  const stamp = await stampOfSources(ROOT);
  if ((await stampOfBuild(built)) === stamp) return;
  const begun = performance.now();
  say('Building the console (once; again when its sources change)');
  const made = `${built}.${process.pid}.${randomUUID()}`;
  await mkdir(made, { recursive: true });
  await build(made);
  await writeFile(join(made, STAMP), stamp);
  await rm(built, { recursive: true, force: true });
  try {
    await rename(made, built);
  } catch (error) {
    await rm(made, { recursive: true, force: true });
    if ((await stampOfBuild(built)) !== stamp) throw error; // else another process was faster
  }
  say(`Built the console in ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
}

async function build(outDir: string): Promise<void> {
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const config = join(SOURCE, 'vite.config.ts');
  const flags = ['--configLoader', 'native', '--outDir', outDir, '--emptyOutDir'];
  const child = spawn(process.execPath, [vite, 'build', '--config', config, ...flags], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production' }, // else React's own checks are built in
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout.on('data', (part: Buffer) => (printed += part.toString()));
  child.stderr.on('data', (part: Buffer) => (printed += part.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return;
  await rm(outDir, { recursive: true, force: true });
  throw new Error(`The console does not build; npm install brings what it needs:\n${printed}`);
}

async function stampOfBuild(built: string): Promise<string | null> {
  return readFile(join(built, STAMP), 'utf8').catch(() => null); // not built yet
}
