import { execFile, type ExecFileException } from 'node:child_process';
import { createHash } from 'node:crypto';
import { access, mkdir, readFile, rename, rm } from 'node:fs/promises';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';

import { userCacheDir } from '../../src/embedded/cache.ts';

/** What came in, as a receiver has it. */
export interface Signed {
  headers: Record<string, string>;
  body: string;
}

/** Whether the library of a language takes it as signed with the secret. */
export type Verify = (secret: string, signed: Signed) => Promise<boolean>;

const HERE = fileURLToPath(new URL('.', import.meta.url));
/** Go's modules stay with what is built of them. */
const ENV = {
  ...process.env,
  GOMODCACHE: join(userCacheDir(), 'go-modules'),
  GOFLAGS: '-modcacherw',
};
const PYPI = 'standardwebhooks==1.1.0';

/** The library of PyPI, in a virtual environment of its own in the cache folder. */
export async function pythonVerifier(): Promise<Verify> {
  const folder = join(userCacheDir(), `verify-python-${PYPI.split('==')[1]}`);
  const python = join(folder, 'bin', 'python');
  await once(folder, async (made) => {
    await run(
      'python3',
      ['-m', 'venv', made],
      'Python 3 with venv (Debian: apt-get install python3-venv)',
    );
    await run(
      join(made, 'bin', 'python'),
      ['-m', 'pip', 'install', '--quiet', PYPI],
      'access to PyPI',
    );
  });
  return verifier(python, [join(HERE, 'verify.py')]);
}

/** The library for Go, built into the cache folder. */
export async function goVerifier(): Promise<Verify> {
  const source = join(HERE, 'verify');
  const texts = await Promise.all(
    ['main.go', 'go.mod', 'go.sum'].map((name) => readFile(join(source, name))),
  );
  const hash = createHash('sha256').update(Buffer.concat(texts)).digest('hex').slice(0, 16);
  const folder = join(userCacheDir(), `verify-go-${hash}`);
  await once(folder, async (made) => {
    const build = ['build', '-C', source, '-o', join(made, 'verify'), '.'];
    await run(
      'go',
      build,
      'Go 1.21 or later (Debian: apt-get install golang-go) and its module proxy',
    );
  });
  return verifier(join(folder, 'verify'), []);
}

/** Makes a folder beside its place and moves it there when it is whole. */
async function once(folder: string, make: (folder: string) => Promise<void>): Promise<void> {
  if (await exists(join(folder, 'whole'))) return;
  await rm(folder, { recursive: true, force: true });
  await mkdir(folder, { recursive: true });
  await make(folder); // a virtual environment can't be moved: `whole` says that it is done
  await mkdir(join(folder, 'half'));
  await rename(join(folder, 'half'), join(folder, 'whole'));
}

async function exists(path: string): Promise<boolean> {
  return access(path).then(
    () => true,
    () => false,
  );
}

function run(program: string, args: string[], needs: string): Promise<void> {
  return new Promise((resolve, reject) => {
    execFile(program, args, { env: ENV }, (error, _stdout, stderr) => {
      if (error === null) resolve();
      else
        reject(
          new Error(
            `This test needs ${needs}: ${program} ${args.join(' ')}: ${error.message} ${stderr}`,
          ),
        );
    });
  });
}

function verifier(program: string, args: string[]): Verify {
  return (secret, { headers, body }) =>
    new Promise((resolve, reject) => {
      const child = execFile(program, args, (error: ExecFileException | null, _stdout, stderr) => {
        if (error === null) resolve(true);
        else if (error.code === 3) resolve(false);
        else reject(new Error(`${program}: ${error.message} ${stderr}`));
      });
      child.stdin?.end(JSON.stringify({ secret, headers, body }));
    });
}
