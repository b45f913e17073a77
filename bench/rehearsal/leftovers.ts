import { readdir, rm, stat } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { z } from 'zod';

import { startPostgres } from '../../src/embedded/postgres.ts';
import { identityOf, stopProcess } from '../../src/embedded/processes.ts';
import { readState, writeState } from '../../src/embedded/state.ts';

/** The prefix of a rehearsal's folder, which is in the one for temporary files. */
export const PREFIX = 'millrace-rehearsal-';
/** The data folders of the two Postgres servers within it. */
export const POSTGRES = { millrace: 'postgres', temporal: 'temporal-postgres' };

const Process = z.object({ pid: z.int().positive(), identity: z.string() });
const State = z.object({ rehearsal: Process, temporal: Process.nullable() });
const FILE = 'running.json';

/** Notes which processes use the folder, so that another run finds the remains of a killed one. */
export async function noteRunning(folder: string, temporalPid: number | null): Promise<void> {
  await writeState(join(folder, FILE), {
    rehearsal: processOf(process.pid),
    temporal: temporalPid === null ? null : processOf(temporalPid),
  });
}

/** Notes that no process uses the folder any more; it then stays for people to look at. */
export async function noteStopped(folder: string): Promise<void> {
  await rm(join(folder, FILE), { force: true });
}

/** Stops what is left running of rehearsals that were killed, and removes their folders. */
export async function sweep(say: (line: string) => void): Promise<void> {
  for (const name of await readdir(tmpdir())) {
    const folder = join(tmpdir(), name);
    if (!name.startsWith(PREFIX)) continue;
    const state = await readState(join(folder, FILE), State);
    if (state === null || isAlive(state.rehearsal)) continue;
    say(`Stopping what a rehearsal that was killed has left in ${folder}`);
    const { temporal } = state;
    if (temporal !== null) {
      await stopProcess(temporal.pid, () => isAlive(temporal), [
        ['SIGTERM', 10_000],
        ['SIGKILL', 2_000],
      ]);
    }
    for (const data of Object.values(POSTGRES)) {
      const dataDir = join(folder, data);
      if (!(await exists(join(dataDir, 'postgres.json')))) continue;
      await (await startPostgres({ dataDir, say })).stop(); // it takes over the server that runs
    }
    await rm(folder, { recursive: true, force: true });
  }
}

function processOf(pid: number): z.infer<typeof Process> {
  return { pid, identity: identityOf(pid) ?? `pid ${pid}` };
}

function isAlive({ pid, identity }: z.infer<typeof Process>): boolean {
  return identityOf(pid) === identity;
}

async function exists(path: string): Promise<boolean> {
  return stat(path).then(
    () => true,
    () => false,
  );
}
