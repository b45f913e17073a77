import { cp, mkdir } from 'node:fs/promises';
import { basename, join } from 'node:path';

import { startEndpoint } from '../instruments/endpoint.ts';
import {
  installationOn,
  variablesOf,
  type Installation,
  type InstallationOptions,
} from '../instruments/installation.ts';
import { startRehearsal } from './rehearsal.ts';

const WORKERS = 2;

/**
 * Starts the production set-up and an endpoint, instead of `openInstallation`: Temporal is a server on
 * Postgres, and there are two workers and two APIs, of which `url` is the first.
 */
export async function openRehearsal(options: InstallationOptions): Promise<Installation> {
  await using started = new AsyncDisposableStack();
  const endpoint = started.use(await startEndpoint());
  const rehearsal = await startRehearsal({
    env: process.env,
    workers: WORKERS,
    variables: variablesOf(options),
    signal: options.signal,
    say: (line) => process.stderr.write(`  ${line}\n`),
  });
  started.defer(() => rehearsal.stop());
  const { logsDir } = options;
  if (logsDir !== null) started.defer(() => keep(rehearsal.logs, logsDir));
  return await installationOn(rehearsal, endpoint, started);
}

/** Copies the logs, which would be removed with everything else. */
async function keep(logs: Record<string, string>, to: string): Promise<void> {
  await mkdir(to, { recursive: true });
  for (const [part, path] of Object.entries(logs)) {
    await cp(path, join(to, `${part.replaceAll(' ', '-')}-${basename(path)}`), { recursive: true });
  }
}
