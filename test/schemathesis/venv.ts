import { spawnSync } from 'node:child_process';
import { existsSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';

import { userCacheDir } from '../../src/embedded/cache.ts';

/**
 * The `bin` folder of a Python environment with exactly these packages of PyPI, kept in the user's
 * cache. Throws with what to install when Python can't make one.
 */
export function pythonBin(packages: string[]): string {
  const folder = join(userCacheDir(), `venv-${packages.join('-').replaceAll('==', '-')}`);
  const ready = join(folder, 'ready'); // else it was only half made; its programs name its path
  if (!existsSync(ready)) {
    process.stderr.write(`Making a Python environment with ${packages.join(', ')}\n`);
    rmSync(folder, { recursive: true, force: true });
    run('python3', ['-m', 'venv', folder], 'install Python 3.10 or newer with its venv module');
    const python = join(folder, 'bin', 'python');
    const pip = ['-m', 'pip', 'install', '--quiet', '--disable-pip-version-check'];
    run(python, [...pip, ...packages], 'PyPI, or a mirror that pip knows, must answer');
    writeFileSync(ready, '');
  }
  return join(folder, 'bin');
}

function run(command: string, args: string[], cure: string): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`${command} ${args.join(' ')} failed: ${cure}. ${why}`);
}
