import { mkdir, mkdtemp, readdir, readFile, rm, stat, symlink, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

import { expect, test } from 'vitest';

import { keptBundle } from '../../src/temporal/workflowBundle.ts';

const NODE_MODULES = resolve(import.meta.dirname, '../../node_modules');

test('workflows are bundled once, also where several processes need them at once, and again when a source has changed', async () => {
  const root = await mkdtemp(join(tmpdir(), 'millrace-bundle-'));
  const folder = join(root, 'dist');
  const workflows = join(root, 'workflows/index.ts');
  const answer = join(root, 'workflows/answer.ts');
  const says = (text: string): Promise<void> =>
    writeFile(answer, `export const answer = (): Promise<string> => Promise.resolve('${text}');\n`);
  const kept = (): Promise<string> => keptBundle({ workflows, folder });
  try {
    await symlink(NODE_MODULES, join(root, 'node_modules'));
    await mkdir(join(root, 'workflows'));
    await writeFile(workflows, `export { answer } from './answer.ts';\n`);
    await says('the first answer');
    await mkdir(folder);
    await writeFile(
      join(folder, 'workflows.cjs'),
      'of a process that was killed before it was done',
    );
    await writeFile(join(folder, 'workflows.json'), '{"bundle":"","sources":{}}');

    const [path, same] = await Promise.all([kept(), kept()]);
    expect(same).toBe(path);
    expect(await readFile(path, 'utf8')).toContain('the first answer');
    const { mtimeMs } = await stat(path);
    expect(await kept()).toBe(path);
    expect(await stat(path)).toMatchObject({ mtimeMs });

    await writeFile(answer, `export { answer } from './nowhere.ts';\n`);
    await expect(kept()).rejects.toThrow(/^The workflows could not be bundled:[^]*nowhere/u);
    expect(await stat(path)).toMatchObject({ mtimeMs });

    await says('another answer');
    expect(await kept()).toBe(path);
    expect(await readFile(path, 'utf8')).toContain('another answer');
    expect(await readdir(folder)).toEqual(['workflows.cjs', 'workflows.json']);
  } finally {
    await rm(root, { recursive: true });
  }
});
