import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { afterAll, beforeAll, expect, test } from 'vitest';

import { commandLine } from '../../src/embedded/processes.ts';
import type { Source } from '../../src/schema/source.ts';
import { KEY } from '../support/app.ts';
import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { until } from '../support/poll.ts';
import { serve, type Served } from '../support/serve.ts';
import { openSourceSite, type Shop, type SourceSite } from '../support/sourceSite.ts';

let site: SourceSite;
let shop: Shop;
let served: Served;
let folder: string;
let file: string;

beforeAll(async () => {
  site = await openSourceSite();
  shop = await site.createShop();
  served = await serve(site.api);
  folder = await mkdtemp(join(tmpdir(), 'millrace-cli-'));
  file = join(folder, 'shop.url');
  await writeFile(file, `${shop.url}\n`);
});
afterAll(async () => {
  await rm(folder, { recursive: true });
  await served[Symbol.asyncDispose]();
  await shop[Symbol.asyncDispose]();
  await site[Symbol.asyncDispose]();
});

const env = (): Record<string, string> => ({ MILLRACE_URL: served.url, MILLRACE_API_KEY: KEY });
const password = (): string => new URL(shop.url).password;

/** Runs it; its password is in nothing that it prints. */
async function cli(
  args: readonly string[],
  more: Record<string, string> = {},
  input = '',
): Promise<CliResult> {
  const result = await runCli(args, { ...env(), ...more }, { input, cwd: folder });
  expect(result.stdout + result.stderr).not.toContain(password());
  return result;
}

async function json<T>(...args: Parameters<typeof cli>): Promise<T> {
  const [words, ...rest] = args;
  const { code, stdout, stderr } = await cli([...words, '--json'], ...rest);
  expect([words, code, stderr]).toEqual([words, 0, expect.any(String)]);
  return JSON.parse(stdout) as T;
}

const words = (line: string): string[] => line.split(' ');

test('a source is tested, added, shown, changed, given commands and deleted by its name', async () => {
  const tested = await cli(['sources', 'test', '--url-file', file]);
  expect(tested.code).toBe(0);
  expect(tested.stdout).toContain('public.users: key id, about 100 rows');
  expect(tested.stdout).toContain(
    "public.notes: can't be followed: public.notes has no primary key",
  );

  const add = words('sources add --name shop --table public.users --sync s --expect-within 1d');
  const made = await json<Source>([...add, '--url-file', file]);
  expect(made).toMatchObject({
    name: 'shop',
    sync_id: 's',
    expect_within: 86_400,
    status: 'active',
    tables: [{ table: 'public.users' }],
  });
  expect((await json<Source>(words('sources get shop'))).id).toBe(made.id);
  expect((await cli(words('sources list'))).stdout).toMatch(
    /^NAME +STATUS +BEHIND +TABLES +PROBLEMS +ID +REASON\nshop +active +– +1 +0 +[\da-f-]{36}\n/u,
  );
  const added = await json<Source>(words('sources edit shop --add-table public.orders'));
  expect(added.tables.map(({ table }) => table)).toEqual(['public.orders', 'public.users']);
  const removed = await json<Source>(words('sources edit shop --remove-table public.users'));
  expect(removed.tables.map(({ table }) => table)).toEqual(['public.orders']);
  const edited = await json<Source>(
    words('sources edit shop --name store --no-expect-within --table public.users'),
  );
  expect(edited).toMatchObject({ name: 'store', expect_within: null });
  expect((await json<Source>(words('sources pause store'))).status).toBe('paused');
  expect((await json<Source>(words('sources resume store'))).status).toBe('active');
  const anew = await json<Source>(words('sources snapshot store --table public.users --confirm'));
  expect(anew.tables).toMatchObject([{ state: 'waiting' }]);
  expect(await json(words('sources problems store'))).toEqual({ data: [], next_cursor: null });
  expect((await json<{ outcome: string }>(words('sources test store'))).outcome).toBe('ok');

  const waiting = await cli(words('sources delete store'));
  expect([waiting.code, waiting.stderr]).toEqual([0, expect.stringContaining('not reached yet')]);
  const forgotten = await cli(words('sources delete store --forget'));
  expect(forgotten.stdout).toContain(`drop publication if exists ${made.publication};`);
  expect((await cli(words('sources get store'))).code).toBe(3);
});

test('the URL comes from a file, from stdin or from the environment, and is no argument', async () => {
  const test = ['sources', 'test', '--json'];
  for (const result of [
    await cli([...test, '--url-file', file]),
    await cli([...test, '--url-file', '-'], {}, shop.url),
    await cli(test, { MILLRACE_SOURCE_URL: shop.url }),
  ]) {
    expect([result.code, JSON.parse(result.stdout).outcome]).toEqual([0, 'ok']);
  }
  const none = await cli(words('sources add --name x --table public.users'));
  expect([none.code, none.stderr]).toEqual([2, expect.stringContaining('--url-file -')]);
  const { stdout: help } = await cli(words('sources add --help'));
  expect(help.match(/--url\S* <\w+>/gu)).toEqual(['--url-file <file>', '--url <url>']);
  expect(help).toContain('address of the API');
});

test('while it runs, the list of processes does not have the password', async () => {
  const running = startCli(['sources', 'test', '--url-file', '-'], env(), { input: null });
  const { pid } = running.child;
  const listed = await until(() => commandLine(pid!));
  running.child.stdin?.end(shop.url);
  expect((await running.ended).code).toBe(0);
  expect(listed).toContain('--url-file');
  expect(listed).not.toContain(password());
});

test('everything that is in the way is listed with what to do, and exits with 1', async () => {
  const tables = words('--table public.notes --table public.nowhere');
  const refused = await cli(['sources', 'add', '--name', 'y', '--url-file', file, ...tables]);
  expect([refused.code, refused.stdout]).toEqual([1, '']);
  expect(refused.stderr).toMatch(/^public\.notes has no primary key.*\(and 1 more\)/u);
  expect(refused.stderr).toContain('  There is no table public.nowhere. Check its schema');
  expect(refused.stderr).toContain('/docs/errors#source_refused');
  const tested = await cli(['sources', 'test', '--url-file', file, ...tables]);
  expect([tested.code, tested.stdout]).toEqual([1, expect.stringContaining('public.nowhere')]);
  const wrong = join(folder, 'wrong.url');
  await writeFile(wrong, shop.url.replace(password(), 'wrong'));
  const away = await cli(['sources', 'test', '--url-file', wrong]);
  expect([away.code, away.stdout]).toEqual([1, expect.stringContaining('is wrong')]);
  const faulty = join(folder, 'faulty.url');
  await writeFile(faulty, 'mysql://u:p@h/d');
  const fault = await cli(['sources', 'test', '--url-file', faulty]);
  expect([fault.code, fault.stderr]).toEqual([1, expect.stringMatching(/^--url-file must be/u)]);
});

const ID = '0199c1f2-6a4e-7c1b-9a52-0d6f3c1f8a11';

test.each([
  ['sources edit x', /Nothing to change/u],
  [`sources edit ${ID} --table a.b --add-table c.d`, /can't be combined/u],
  ['sources add --url-file missing.url --name x --table a.b', /missing\.url can't be read/u],
  ['sources add --url-file shop.url', /--name, --table are required/u],
  ['sources add --expect-within soon', /duration/u],
])('%s is a usage error', async (line, stderr) => {
  const result = await cli(words(line));
  expect(result.stderr).toMatch(stderr);
  expect([result.code, result.stdout]).toEqual([2, '']);
});
