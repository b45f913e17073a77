import { spawnSync } from 'node:child_process';
import { existsSync, renameSync, rmSync } from 'node:fs';
import { join } from 'node:path';

import { userCacheDir } from '../../src/embedded/cache.ts';

/**
 * The `bin` folder of a Python environment with exactly these packages of PyPI, kept in the user's
 * cache. Throws with what to install when Python can't make one.
 */
export function pythonBin(packages: string[]): string {
  const folder = join(userCacheDir(), `venv-${packages.join('-').replaceAll('==', '-')}`);
  if (!existsSync(folder)) {
    const half = `${folder}.${process.pid}`;
    try {
      run('python3', ['-m', 'venv', half], 'install Python 3.10 or newer with its venv module');
      const pip = [join(half, 'bin', 'python'), '-m', 'pip', 'install', '--quiet'];
      run(pip[0]!, [...pip.slice(1), ...packages], 'PyPI, or a mirror that pip knows, must answer');
      run('python3', ['-m', 'venv', '--upgrade', half], 'install the venv module of Python');
      renameSync(half, folder);
    } finally {
      rmSync(half, { recursive: true, force: true });
    }
  }
  return join(folder, 'bin');
}

function run(command: string, args: string[], cure: string): void {
  const { status, error, stderr } = spawnSync(command, args, { encoding: 'utf8' });
  if (status === 0) return;
  const why = error?.message ?? stderr.trim().split('\n').at(-1) ?? '';
  throw new Error(`${command} ${args.join(' ')} failed: ${cure}. ${why}`);
}
