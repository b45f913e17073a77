import { spawn } from 'node:child_process';
import { createHash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { mkdir, readdir, readFile, rename, rm, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const SOURCE = join(ROOT, 'src/console');
const BUILT = join(ROOT, 'dist/console');
/** Its sources and the versions of the packages they use. */
const STAMP = '.stamp';
/** What it imports at run time from outside its folder. */
const SHARED = ['src/api/client.ts', 'src/alerts/alertText.ts', 'src/rules/hasScope.ts'];

if (import.meta.main) await ensureConsole((line) => process.stderr.write(`${line}\n`));

/**
 * Builds the console into dist/console where it is missing, or older than its sources or packages;
 * says so. Several at once do no harm: whoever is last finds it made. Rejects with what the build
 * printed when it fails.
 */
export async function ensureConsole(say: (line: string) => void, built = BUILT): Promise<void> {
  const stamp = await stampOfSources();
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

/** A change of any of these makes another console. */
async function stampOfSources(): Promise<string> {
  const hash = createHash('sha256');
  const inside = (await readdir(SOURCE, { recursive: true, withFileTypes: true }))
    .filter((entry) => entry.isFile())
    .map((entry) => join(entry.parentPath, entry.name));
  for (const file of [...inside, ...SHARED.map((name) => join(ROOT, name))].toSorted()) {
    hash.update(`${file.slice(ROOT.length)}\n`).update(await readFile(file));
  }
  const manifest = JSON.parse(await readFile(join(ROOT, 'package.json'), 'utf8')) as {
    devDependencies: Record<string, string>;
  };
  return hash.update(JSON.stringify(manifest.devDependencies)).digest('hex');
}
