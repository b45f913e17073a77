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
/** Holds the hash of the sources and package versions that the build is made of. */
const STAMP = '.stamp';

if (import.meta.main) await ensureConsole((line) => process.stderr.write(`${line}\n`));

/**
 * Builds the console into dist/console, and says so, when it is missing or its sources or packages have
 * changed. Several processes may do so at the same time. Rejects with the output of a failed build.
 */
export async function ensureConsole(say: (line: string) => void, built = BUILT): Promise<void> {
  const stamp = await stampOfSources(ROOT);
  if ((await stampOfBuild(built)) === stamp) return;
  const begun = performance.now();
  say('Building the console (once; again when its sources change)');
  const draft = `${built}.${process.pid}.${randomUUID()}`;
  await mkdir(draft, { recursive: true });
  await build(draft);
  await writeFile(join(draft, STAMP), stamp);
  await rm(built, { recursive: true, force: true });
  try {
    await rename(draft, built);
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    if ((await stampOfBuild(built)) !== stamp) throw error; // otherwise another process was faster
  }
  say(`Built the console in ${((performance.now() - begun) / 1_000).toFixed(1)} s`);
}

async function build(outDir: string): Promise<void> {
  const vite = join(ROOT, 'node_modules/vite/bin/vite.js');
  const config = join(SOURCE, 'vite.config.ts');
  const flags = ['--configLoader', 'native', '--outDir', outDir, '--emptyOutDir'];
  const child = spawn(process.execPath, [vite, 'build', '--config', config, ...flags], {
    cwd: ROOT,
    env: { ...process.env, NODE_ENV: 'production' }, // otherwise React's development checks are built in
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let printed = '';
  child.stdout.on('data', (part: Buffer) => (printed += part.toString()));
  child.stderr.on('data', (part: Buffer) => (printed += part.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code === 0) return;
  await rm(outDir, { recursive: true, force: true });
  throw new Error(
    `The console could not be built; npm install installs what it needs:\n${printed}`,
  );
}

async function stampOfBuild(built: string): Promise<string | null> {
  return readFile(join(built, STAMP), 'utf8').catch(() => null); // not built yet
}
