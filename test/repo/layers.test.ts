// which folder of src/ may import which, types included
import { readdir, readFile } from 'node:fs/promises';
import { dirname, join, relative, resolve } from 'node:path';

import { expect, test } from 'vitest';

const SRC = resolve(import.meta.dirname, '../../src');

/** From the ground up; each folder may import those named, nothing else. */
const MAY: Record<string, string> = {
  schema: '',
  rules: 'schema',
  db: 'schema',
  process: 'schema db',
  streams: 'schema rules db process',
  progress: 'schema rules db',
  egress: 'schema rules',
  sources: 'schema rules db process streams egress',
  targets: 'schema rules db egress',
  access: 'schema rules db process',
  alerts: 'schema rules db process streams sources progress egress',
  attempts: 'schema rules db process progress',
  search: 'schema rules db streams',
  retention: 'rules db streams alerts',
  flow: 'schema rules',
  failure: 'schema rules db streams flow progress',
  delivery: 'schema rules db streams egress targets flow progress failure',
  visits: 'schema rules db process streams egress targets flow progress failure delivery',
  consumers: 'schema rules db streams alerts retention progress',
  wake: 'schema rules db process streams progress',
  activities:
    'schema rules db streams sources egress flow progress failure delivery visits consumers',
  workflows: 'schema rules consumers activities', // the last two as types: see .oxlintrc.json
  temporal:
    'rules db process streams sources egress targets alerts flow progress delivery visits consumers wake activities workflows',
  telemetry: 'schema rules db process streams sources progress delivery visits',
  docs: '',
  api: 'schema rules db streams sources targets access alerts attempts search consumers telemetry docs',
  embedded: 'schema db process',
  cli: 'schema rules db process streams sources egress api embedded',
  console: 'schema rules alerts api',
};

const imports = await importsOf(SRC);

test('no folder imports one that it must not depend on', () => {
  const faults: string[] = [];
  for (const [file, imported] of imports) {
    const may = (MAY[folderOf(file)] ?? '').split(' ');
    for (const one of imported) {
      const to = folderOf(one);
      if (to !== folderOf(file) && !may.includes(to)) faults.push(`${file} imports ${one}`);
    }
  }
  expect(faults).toEqual([]);
});

test('every folder has its line in the table, and no file is outside of a folder', async () => {
  const entries = await readdir(SRC, { withFileTypes: true });
  expect(entries.filter((one) => !one.isDirectory()).map(({ name }) => name)).toEqual([]);
  expect(entries.map(({ name }) => name).sort()).toEqual(Object.keys(MAY).sort());
});

test('there are no cyclic imports', () => {
  const done = new Set<string>();
  const circles: string[] = [];
  const visit = (file: string, way: string[]): void => {
    if (way.includes(file)) circles.push([...way.slice(way.indexOf(file)), file].join(' → '));
    if (way.includes(file) || done.has(file)) return;
    for (const next of imports.get(file) ?? []) visit(next, [...way, file]);
    done.add(file);
  };
  for (const file of imports.keys()) visit(file, []);
  expect(circles).toEqual([]);
});

/**
 * What opens connections, and the only places that may import it at run time. Webhooks, tests of targets,
 * alert webhooks and token requests go through `egress/`; the other places reach what an operator or the
 * person at the command line named.
 */
const OUTWARD: Record<string, string> = {
  undici: 'egress cli/forward.ts', // `listen --forward-to`, on the caller's own machine
  'node:net': 'egress embedded/state.ts cli/doctorHere.ts process/config.ts', // `isIP`, and free ports
  'node:tls': 'egress',
  'node:http':
    'api embedded/receiver.ts cli/demoReceiver.ts cli/demoMirror.ts telemetry/metricsServer.ts', // servers
  'node:https': '',
  'node:http2': '',
  'node:dgram': '',
  pg: 'db embedded/postgres.ts sources', // sources: over a socket that the caller gives them
  nodemailer: 'alerts/mail.ts',
  'fetch(': 'cli console embedded temporal/sdkMetrics.ts', // our own processes, on this machine
};

test('only egress opens connections to addresses that a user has given', async () => {
  const faults: string[] = [];
  for (const file of imports.keys()) {
    const text = await readFile(join(SRC, file), 'utf8');
    const fixed = /^(?:(?:import|export) (?!type )[^;]*? from|import) '([^'.][^']*)'/gmu;
    const later = /(?<![.\w])import\('([^'.][^']*)'\)/gu;
    const used = [...text.matchAll(fixed), ...text.matchAll(later)];
    const names = used.map(([, name = '']) => name);
    if (/(?<![.\w])fetch\(/u.test(text)) names.push('fetch(');
    for (const name of names) {
      const places = (OUTWARD[name] ?? OUTWARD[`node:${name}`])?.split(' ');
      const may = places?.some((one) => one === file || one === folderOf(file)) ?? true;
      if (!may) faults.push(`${file} uses ${name}`);
    }
  }
  expect(faults).toEqual([]);
});

/** Of each source file, those of `src/` that it imports. */
async function importsOf(root: string): Promise<Map<string, string[]>> {
  const found = new Map<string, string[]>();
  for (const file of await readdir(root, { recursive: true })) {
    if (!/\.tsx?$/u.test(file)) continue;
    const text = await readFile(join(root, file), 'utf8');
    const paths = [...text.matchAll(/(?:from|import\()\s*'(\.[^']+)'/gu)];
    const to = paths.map(([, path = '']) => relative(root, resolve(root, dirname(file), path)));
    found.set(
      file,
      to.filter((one) => !one.startsWith('..')),
    );
  }
  return found;
}

function folderOf(file: string): string {
  return file.split('/')[0] ?? '';
}
