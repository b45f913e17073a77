import { lookup } from 'node:dns/promises';
import { statfs } from 'node:fs/promises';
import { isIP } from 'node:net';
import { dirname } from 'node:path';

import { isPortFree } from '../embedded/state.ts';
import type { Config } from '../process/config.ts';
import { proxiesOf } from '../process/proxies.ts';
import type { Target } from '../schema/target.ts';
import { fail, ok, warn, type Finding } from './finding.ts';
import { printable } from './table.ts';

const NEEDED = [24, 13] as const;
const DISK = { warn: 1024 ** 3, fail: 100 * 1024 ** 2 };
const HOSTS = 10;
const ANSWER_MS = 3_000;

/** Examines this machine: Node, the port, the disk, name resolution and proxies. */
export async function examineHere(options: {
  config: Pick<Config, 'port' | 'host' | 'dataDir' | 'egressProxy'>;
  env: NodeJS.ProcessEnv;
  /** Host names of targets, to be resolved unless a proxy does that. */
  hosts: string[];
}): Promise<Finding[]> {
  const { config, env } = options;
  const { egressProxy } = config;
  const hosts = egressProxy === null ? options.hosts : [];
  const found = await Promise.all([
    port(config),
    disk(config.dataDir),
    ...hosts.map(resolves),
    egressProxy === null ? proxy(env) : egress(egressProxy),
  ]);
  return [node(), ...found];
}

/** The first 10 host names of targets that need resolving, each once. */
export function hostsOf(targets: readonly Pick<Target, 'base_url'>[]): string[] {
  const names = targets.map(({ base_url }) => URL.parse(base_url)?.hostname ?? '');
  const needed = names.filter((name) => name !== '' && isIP(name.replaceAll(/[[\]]/gu, '')) === 0);
  return [...new Set(needed)].slice(0, HOSTS);
}

function node(): Finding {
  const [major = 0, minor = 0] = process.versions.node.split('.').map(Number);
  const version = process.versions.node;
  return major > NEEDED[0] || (major === NEEDED[0] && minor >= NEEDED[1])
    ? ok('Node', version)
    : fail('Node', `${version} is too old`, `Install Node ${NEEDED.join('.')} or newer`);
}

async function port({ port: number, host }: { port: number; host: string }): Promise<Finding> {
  const name = `Port ${number}`;
  if (number === 0) return ok('Port', 'any free port');
  const free = await isPortFree(number, host).catch((error: NodeJS.ErrnoException) => error);
  if (free === true) return ok(name, 'free');
  if (free !== false) {
    const fix =
      'Set MILLRACE_HOST to an address of this machine, and MILLRACE_PORT to a port that you may use';
    return fail(name, `can't listen on ${host} (${free.code})`, fix);
  }
  const base = host === '0.0.0.0' || host === '::' ? '127.0.0.1' : host;
  const text = await fetch(`http://${base}:${number}/healthz`, {
    signal: AbortSignal.timeout(2_000),
  })
    .then((response) => response.text())
    .catch(() => ''); // no HTTP, so it is another program
  return text === '{"status":"ok"}'
    ? ok(name, 'used by Millrace')
    : fail(name, 'taken by another program', 'Stop it, or set MILLRACE_PORT to another port');
}

async function disk(dataDir: string): Promise<Finding> {
  let folder = dataDir;
  for (;;) {
    const stats = await statfs(folder).catch(() => null); // does not exist yet: its parent counts
    if (stats !== null) {
      const free = stats.bavail * stats.bsize;
      const detail = `${(free / 1024 ** 3).toFixed(1)} GB free for ${dataDir}`;
      const fix = 'Free some space, move MILLRACE_DATA_DIR, or shorten MILLRACE_EVENT_RETENTION';
      if (free < DISK.fail) return fail('Disk', detail, fix);
      return free < DISK.warn ? warn('Disk', detail, fix) : ok('Disk', detail);
    }
    const above = dirname(folder);
    if (above === folder) return warn('Disk', `${dataDir} can't be examined`, 'Check its owner');
    folder = above;
  }
}

async function resolves(host: string): Promise<Finding> {
  const name = `Name ${printable(host)}`;
  try {
    const [first, ...more] = await lookup(host, { all: true });
    return ok(name, `${first?.address}${more.length > 0 ? ` and ${more.length} more` : ''}`);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    return warn(
      name,
      `does not resolve (${code})`,
      "Correct the target's URL or this machine's DNS",
    );
  }
}

/** Whether the proxy for webhooks answers, even if it refuses. */
async function egress(url: string): Promise<Finding> {
  const { origin } = new URL(url); // without a password
  const through = `webhooks go out through ${origin}`;
  try {
    const response = await fetch(origin, { signal: AbortSignal.timeout(ANSWER_MS) });
    await response.body?.cancel();
    return ok('Proxy', `${through}, which answers`);
  } catch (error) {
    const { cause, name } = error as Error & { cause?: { code?: string; message?: string } };
    const code = cause?.code ?? cause?.message ?? name;
    const why = name === 'TimeoutError' ? `within ${ANSWER_MS / 1_000} s` : `(${code})`;
    const fix = 'Start it, or correct MILLRACE_EGRESS_PROXY';
    return fail('Proxy', `${through}, which does not answer ${why}`, fix);
  }
}

function proxy(env: NodeJS.ProcessEnv): Finding {
  const set = proxiesOf(env);
  if (set.length === 0) return ok('Proxy', 'HTTPS_PROXY, HTTP_PROXY and the like are not set');
  return warn(
    'Proxy',
    `deliveries, and requests to this machine, do not use ${set.join(' and ')}`,
    'Set MILLRACE_EGRESS_PROXY, or allow this machine to reach the targets directly',
  );
}
