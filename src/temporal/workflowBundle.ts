import { spawn } from 'node:child_process';
import { hash, randomUUID } from 'node:crypto';
import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import { mkdir, rename, rm, stat, writeFile } from 'node:fs/promises';
import { join, relative, resolve } from 'node:path';
import { fileURLToPath } from 'node:url';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));
const BUNDLER = fileURLToPath(new URL('./bundleWorkflows.ts', import.meta.url));

/** The workflows, and where their bundle is kept. */
export interface BundleOptions {
  /** The file that exports the workflows; Millrace's own unless given. */
  workflows?: string;
  /** `dist` of the project unless given. */
  folder?: string;
}

/** The hash of a bundle, and that of each file that it was made of, by its path from the folder. */
interface MadeOf {
  bundle: string;
  sources: Record<string, string | null>;
}

if (import.meta.main) await keptBundle();

/**
 * Returns the file of the bundled workflows. It is kept, and made anew whenever a file that it is made of has changed.
 * A process of its own makes it: that takes two seconds of a processor, and leaves 170 MB to the process. Several
 * processes may do so at the same time. Rejects when the folder can't be written, and with the output of a bundler
 * that failed.
 */
export async function keptBundle(options: BundleOptions = {}): Promise<string> {
  const { workflows = join(ROOT, 'src/workflows/index.ts'), folder = join(ROOT, 'dist') } = options;
  const bundle = join(folder, 'workflows.cjs');
  const record = join(folder, 'workflows.json');
  if (isCurrent(folder, bundle, record)) return bundle;

  await mkdir(folder, { recursive: true });
  const draft = join(folder, `workflows.${process.pid}.${randomUUID()}`);
  try {
    await writeFile(draft, ''); // where it can't be written, that shows before the work is done
    const begun = Date.now();
    const files = await makeBundle(workflows, draft);
    const made: MadeOf = {
      bundle: hash('sha256', readFileSync(draft)),
      sources: await hashesOf(files, folder, begun),
    };
    await rename(draft, bundle);
    await writeFile(draft, JSON.stringify(made));
    await rename(draft, record);
  } finally {
    await rm(draft, { force: true });
  }
  return bundle;
}

function isCurrent(folder: string, bundle: string, record: string): boolean {
  try {
    const made = JSON.parse(readFileSync(record, 'utf8')) as MadeOf;
    const isAsKept = (file: string, kept: string | null): boolean =>
      hash('sha256', readFileSync(file)) === kept;
    return (
      isAsKept(bundle, made.bundle) &&
      Object.entries(made.sources).every(([path, kept]) => isAsKept(resolve(folder, path), kept))
    );
  } catch {
    return false; // nothing is kept yet, or a source is gone
  }
}

/** A file that has changed since the bundler began has no hash, as it may have read what was there before. */
async function hashesOf(
  files: string[],
  folder: string,
  begun: number,
): Promise<MadeOf['sources']> {
  const hashes: MadeOf['sources'] = {};
  for (const file of files) {
    const about = await stat(file).catch(() => null);
    if (about?.isFile() !== true) continue; // a folder, or the entry that the bundler makes up
    const isUnchanged = about.mtimeMs < begun;
    hashes[relative(folder, file)] = isUnchanged ? hash('sha256', readFileSync(file)) : null;
  }
  return hashes;
}

/** Has the bundle written to `to`, and resolves with the files that the bundler has read. */
async function makeBundle(workflows: string, to: string): Promise<string[]> {
  const child = spawn(process.execPath, [BUNDLER, workflows, to], {
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let [printed, said] = ['', ''];
  child.stdout.on('data', (part: Buffer) => (printed += part.toString()));
  child.stderr.on('data', (part: Buffer) => (said += part.toString()));
  const [code] = (await once(child, 'close')) as [number | null];
  if (code !== 0) throw new Error(`The workflows could not be bundled:\n${said}`);
  return JSON.parse(printed) as string[];
}
