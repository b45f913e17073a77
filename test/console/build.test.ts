import { mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { ensureConsole } from '../../src/embedded/console.ts';

test('the console is built once when its build is missing or stale, and says so; two builds at once leave one complete build', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-console-'));
  try {
    const built = join(folder, 'console');
    const said: string[] = [];
    const ensure = (): Promise<void> => ensureConsole((line) => said.push(line), built);
    await Promise.all([ensure(), ensure()]);
    expect(said[0]).toMatch(/^Building the console/u);
    await expectWhole(folder, built);

    said.length = 0;
    await ensure();
    expect(said).toEqual([]);

    await writeFile(join(built, '.stamp'), 'of older sources');
    await ensure();
    expect(said[1]).toMatch(/^Built the console in [\d.]+ s$/u);
    await expectWhole(folder, built);
  } finally {
    await rm(folder, { recursive: true });
  }
});

/** The page and each file that it names are there, and nothing beside. */
async function expectWhole(folder: string, built: string): Promise<void> {
  expect(await readdir(folder)).toEqual(['console']);
  const page = await readFile(join(built, 'index.html'), 'utf8');
  const named = [...page.matchAll(/(?:src|href)="\/(assets\/[^"]+)"/gu)].map(
    ([, name = '']) => name,
  );
  expect(named.length).toBeGreaterThanOrEqual(2);
  for (const name of named) expect((await readFile(join(built, name))).length).toBeGreaterThan(0);
}
