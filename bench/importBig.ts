import { chmod, mkdtemp, readFile, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { startStack } from '../src/embedded/stack.ts';
import { runImport, writeImportFile, type ImportRun } from '../test/support/importFile.ts';
/**
 * `node bench/importBig.ts [lines]`: imports a file into a fresh stack, with a CLI that is killed halfway and
 * resumed. Prints seconds and the peak memory of the CLI and of the API for both runs.
 */
const lines = Number(process.argv[2] ?? 1_000_000);
const dataDir = await mkdtemp(join(tmpdir(), 'millrace-import-'));
await chmod(dataDir, 0o711);
const path = join(dataDir, 'big.ndjson');
await writeImportFile(path, lines);
const { size } = await stat(path);
const stack = await startStack({
  env: {
    PATH: process.env['PATH'],
    HOME: process.env['HOME'],
    MILLRACE_DATA_DIR: dataDir,
    MILLRACE_PORT: '0',
    LOG_LEVEL: 'error',
  },
  receiver: false,
  say: () => undefined,
});
try {
  const apiPid = stack.processes()['API'] ?? 0;
  const env = { MILLRACE_URL: stack.url, MILLRACE_API_KEY: stack.apiKey };
  const first = await runImport({
    args: [path],
    env,
    apiPid,
    killWhen: async () => (await offsetOf()) > size / 2,
  });
  const at = await offsetOf();
  const second = await runImport({ args: [path, '--resume'], env, apiPid });
  const response = await fetch(`${stack.url}/v1/syncs`, {
    headers: { authorization: `Bearer ${stack.apiKey}` },
  });
  const result = JSON.parse(second.stdout) as Record<string, number>;
  console.log(JSON.stringify({ lines, megabytes: Math.round(size / 1e6), killed_at: at / size }));
  console.log(JSON.stringify({ first: figures(first), resumed: figures(second), result }));
  console.log(JSON.stringify({ syncs: await response.json() }));
} finally {
  await stack.stop();
  await rm(dataDir, { recursive: true });
}

async function offsetOf(): Promise<number> {
  const text = await readFile(`${path}.millrace-import`, 'utf8').catch(() => 'null'); // not yet
  return (JSON.parse(text) as { place: { offset: number } } | null)?.place.offset ?? 0;
}

function figures({ code, killed, seconds, cliMb, apiMb }: ImportRun): object {
  return { code, killed, seconds, cli_mb: Math.round(cliMb), api_mb: Math.round(apiMb) };
}
