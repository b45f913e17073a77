// what `npm run rehearse` prepares; it is not run here, as it builds Temporal's server
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { chmod, mkdir, mkdtemp, readdir, readFile, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text as textOf } from 'node:stream/consumers';

import { afterEach, beforeEach, expect, test } from 'vitest';

import { readCompose } from '../../bench/rehearsal/compose.ts';
import { findPrograms } from '../../bench/rehearsal/programs.ts';
import {
  millraceVariables,
  namespaceScript,
  schemaScript,
  temporalVariables,
  type Places,
} from '../../bench/rehearsal/settings.ts';

const ROOT = resolve(import.meta.dirname, '../..');
const text = await readFile(join(ROOT, 'docker-compose.yml'), 'utf8');
const compose = readCompose(text, {
  MILLRACE_DB_PASSWORD: 'one',
  TEMPORAL_DB_PASSWORD: 'two',
  MILLRACE_API_KEY: 'mk_key',
  MILLRACE_ENCRYPTION_KEYS: 'k1:key',
  MILLRACE_PUBLIC_URL: 'http://127.0.0.1:4600',
  MILLRACE_ALERT_EMAIL: 'you@example.com',
});
const places: Places = {
  databaseUrl: 'postgres://millrace:one@127.0.0.1:20001/millrace',
  temporalDatabaseUrl: 'postgres://temporal:two@127.0.0.1:20002/millrace',
  temporalPorts: {
    FRONTEND_GRPC_PORT: 20_010,
    FRONTEND_HTTP_PORT: 20_011,
    FRONTEND_MEMBERSHIP_PORT: 20_012,
    HISTORY_GRPC_PORT: 20_013,
    HISTORY_MEMBERSHIP_PORT: 20_014,
    MATCHING_GRPC_PORT: 20_015,
    MATCHING_MEMBERSHIP_PORT: 20_016,
    WORKER_GRPC_PORT: 20_017,
    WORKER_MEMBERSHIP_PORT: 20_018,
  },
  dynamicConfigFile: '/r/dynamic-config.yaml',
  schema: '/cache/schema',
  temporalConfigFile: '/r/no-temporal.toml',
  dataDir: '/r/data',
};

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), 'millrace-rehearse-'));
});
afterEach(() => rm(folder, { recursive: true }));

test('where Go is missing it says so in one sentence, and exits with 1', async () => {
  const child = spawn(process.execPath, [join(ROOT, 'bench/rehearsal/run.ts'), '--check'], {
    env: { PATH: join(folder, 'empty'), HOME: folder, XDG_CACHE_HOME: join(folder, 'cache') },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  const [out, err, [code]] = await Promise.all([
    textOf(child.stdout),
    textOf(child.stderr),
    once(child, 'exit'),
  ]);
  expect({ out, err, code }).toEqual({
    out: '',
    err: expect.stringMatching(/^The rehearsal needs Go, to build .*: install Go [^.\n]*\.\n$/u),
    code: 1,
  });
});

test('a build that fails names its log, and leaves nothing else behind', async () => {
  const bin = join(folder, 'bin');
  await mkdir(bin);
  await writeFile(
    join(bin, 'go'),
    '#!/bin/sh\n[ "$1" = version ] || { echo "no such module"; exit 1; }\n',
  );
  await chmod(join(bin, 'go'), 0o755);
  const cacheDir = join(folder, 'cache');
  const say = (): void => undefined;
  const env = { PATH: `${bin}:/usr/bin:/bin` };
  await expect(findPrograms({ version: '1.2.3', say, env, cacheDir })).rejects.toThrow(
    /^go mod download \S+@v1\.2\.3 failed: no such module; its log is \S+\.log\.$/u,
  );
  expect(await readdir(cacheDir)).toEqual([
    `temporal-server-1.2.3-${process.platform}-${process.arch}.log`,
  ]);
});

test("Temporal's server gets the settings of the Compose file, at addresses of this machine", () => {
  expect(temporalVariables(compose, places)).toEqual({
    DB: 'postgres12',
    DB_PORT: '20002',
    POSTGRES_SEEDS: '127.0.0.1',
    POSTGRES_USER: 'temporal',
    POSTGRES_PWD: 'two',
    NUM_HISTORY_SHARDS: '16',
    BIND_ON_IP: '127.0.0.1',
    DYNAMIC_CONFIG_FILE_PATH: '/r/dynamic-config.yaml',
    TEMPORAL_ALLOW_NO_AUTH: 'true',
    LOG_LEVEL: 'warn',
    ...Object.fromEntries(
      Object.entries(places.temporalPorts).map(([name, port]) => [name, String(port)]),
    ),
  });
  expect(compose.dynamicConfig).toMatch(
    /^matching\.numTaskqueueReadPartitions:\n +- value: 1\nmatching\.numTaskqueueWritePartitions:\n +- value: 1\n$/mu,
  );
  expect(compose.temporalVersion).toMatch(/^\d+\.\d+\.\d+$/u);
});

test('its databases and its namespace are made by the scripts of the Compose file', () => {
  const schema = schemaScript(compose, places);
  expect(schema.script).toContain('schema=/cache/schema/postgresql/v12\n');
  expect(schema.script).toContain('update-schema -d $schema/visibility/versioned');
  expect(schema.variables).toEqual({
    SQL_PLUGIN: 'postgres12',
    SQL_HOST: '127.0.0.1',
    SQL_PORT: '20002',
    SQL_USER: 'temporal',
    SQL_PASSWORD: 'two',
  });
  const namespace = namespaceScript(compose, places);
  expect(namespace.script).toContain('for try in $(seq 60); do if "$@"; then return; fi;');
  expect(namespace.variables['TEMPORAL_ADDRESS']).toBe('127.0.0.1:20010');
});

test('both processes get the variables of the Compose file, but no mail server, no UI and no ports that others use', () => {
  const server = millraceVariables(compose, places, {
    service: 'server',
    port: 20_003,
    metricsPort: 20_004,
  });
  const shared = {
    NODE_ENV: 'production',
    DATABASE_URL: places.databaseUrl,
    TEMPORAL_ADDRESS: '127.0.0.1:20010',
    TEMPORAL_NAMESPACE: 'default',
    MILLRACE_API_KEY: 'mk_key',
    MILLRACE_PUBLIC_URL: 'http://127.0.0.1:4600',
    MILLRACE_METRICS_HOST: '127.0.0.1',
    MILLRACE_DATA_DIR: '/r/data',
    SMTP_URL: '',
  };
  expect(server).toMatchObject({
    ...shared,
    MILLRACE_HOST: '127.0.0.1',
    MILLRACE_PORT: '20003',
    MILLRACE_METRICS_PORT: '20004',
    MILLRACE_TEMPORAL_UI_URL: '',
  });
  const worker = millraceVariables(compose, places, {
    service: 'worker',
    port: null,
    metricsPort: 20_005,
  });
  expect(worker).toMatchObject({ ...shared, MILLRACE_METRICS_PORT: '20005' });
  const others = Object.values({ ...server, ...worker }).filter((value) =>
    /mailpit|millrace-db|temporal:|0\.0\.0\.0/u.test(value),
  );
  expect(others).toEqual([]);
});

test('a missing value that the Compose file asks for is named', () => {
  const bare = readCompose(text, {});
  expect(() => bare.environmentOf('server')).toThrow(/^docker-compose\.yml needs MILLRACE_/u);
});
