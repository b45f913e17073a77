import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { existsSync } from 'node:fs';
import { chmod, mkdtemp, readFile, rm } from 'node:fs/promises';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parseArgs } from 'node:util';

import { startStack } from '../../src/embedded/stack.ts';
import { choosePort } from '../../src/embedded/state.ts';
import { summarize } from './summary.ts';
import { pythonBin } from './venv.ts';

/** `--version` of PyPI's package; its checks change with it. */
const PACKAGES = ['schemathesis==4.32.5'];
const HERE = import.meta.dirname;
/** Why each is left out. */
const EXCLUDED: Record<string, string> = {
  '/v1/listen': 'server-sent events: an answer that does not end',
};

const { values } = parseArgs({
  options: {
    seed: { type: 'string', default: '1' },
    /** For each operation and mode. */
    examples: { type: 'string', default: '150' },
    /** Fewer requests than this are a failure: something kept it from asking. */
    least: { type: 'string', default: '5000' },
    only: { type: 'string' },
  },
});

const bin = pythonBin(PACKAGES);
const dataDir = await mkdtemp(join(tmpdir(), 'millrace-schemathesis-'));
await chmod(dataDir, 0o711); // Postgres runs as another user when we are root
try {
  process.exitCode = await check(dataDir);
} finally {
  await rm(dataDir, { recursive: true, force: true });
}

async function check(folder: string): Promise<number> {
  await using scope = new AsyncDisposableStack();
  const receiver = createServer((request, response) => {
    request.resume().on('end', () => response.writeHead(204).end());
  }).listen(0, '127.0.0.1');
  await once(receiver, 'listening');
  scope.defer(() => {
    receiver.close();
    receiver.closeAllConnections();
  });
  const stack = await startStack({
    env: {
      PATH: process.env['PATH'],
      HOME: process.env['HOME'],
      MILLRACE_PORT: String(await choosePort(undefined)),
      MILLRACE_DATA_DIR: join(folder, 'data'),
      LOG_LEVEL: 'error',
    },
    receiver: false,
    say: (line) => process.stderr.write(`${line}\n`),
  });
  scope.defer(() => stack.stop());
  const report = join(folder, 'report.ndjson');
  const child = spawn(
    join(bin, 'schemathesis'),
    [
      '--config-file',
      join(HERE, 'schemathesis.toml'),
      'run',
      `${stack.url}/v1/openapi.json`,
      '--header',
      `Authorization: Bearer ${stack.apiKey}`,
      '--checks',
      'all',
      '--seed',
      values.seed,
      '--max-examples',
      values.examples,
      '--request-timeout',
      '20',
      '--report',
      'ndjson',
      '--report-ndjson-path',
      report,
      ...(values.only === undefined ? [] : ['--include-path', values.only]),
      ...(await excluded(stack.url)),
      '--continue-on-failure',
      '--no-color',
    ],
    {
      cwd: folder, // it keeps a cache where it runs
      env: {
        ...process.env,
        RECEIVER: `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`,
        SCHEMATHESIS_HOOKS: 'hooks',
        PYTHONPATH: HERE,
        PYTHONDONTWRITEBYTECODE: '1',
      },
      stdio: ['ignore', 'inherit', 'inherit'],
    },
  );
  const [code] = (await once(child, 'exit')) as [number | null];
  if (!existsSync(report)) return code === 0 ? 1 : (code ?? 1); // it says why
  const summary = summarize(await readFile(report, 'utf8'));
  process.stdout.write(`\n${summary.text}\n`);
  if (code === 0 && values.only === undefined && summary.requests < Number(values.least)) {
    process.stdout.write(`fewer than ${values.least} requests were made\n`);
    return 1;
  }
  return code ?? 1;
}

/** Options for the paths that are left out, as far as they exist. */
async function excluded(url: string): Promise<string[]> {
  const answer = await fetch(`${url}/v1/openapi.json`);
  const { paths } = (await answer.json()) as { paths: Record<string, unknown> };
  const left = Object.keys(EXCLUDED).filter((path) => Object.hasOwn(paths, path));
  for (const path of left) process.stderr.write(`Left out: ${path} (${EXCLUDED[path]})\n`);
  return left.flatMap((path) => ['--exclude-path', path]);
}
