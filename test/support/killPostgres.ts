import { readdir, readFile } from 'node:fs/promises';

import { commandLine } from '../../src/embedded/processes.ts';
import { until } from './poll.ts';

/** Kills the postmaster and every backend at once, as when the machine runs out of memory. */
export async function killPostgres(postmaster: number): Promise<void> {
  // While it is stopped it replaces no child, and one that has ended keeps its pid.
  process.kill(postmaster, 'SIGSTOP');
  const pids = [...(await childrenOf(postmaster)), postmaster];
  for (const pid of pids) process.kill(pid, 'SIGKILL');
  await until(() => pids.every((pid) => commandLine(pid) === null));
}

async function childrenOf(parent: number): Promise<number[]> {
  const pids = (await readdir('/proc')).filter((name) => /^\d+$/u.test(name)).map(Number);
  const parents = await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, 'utf8').catch(() => ''); // it has ended
      return Number(stat.slice(stat.lastIndexOf(')') + 2).split(' ')[1]);
    }),
  );
  return pids.filter((_, index) => parents[index] === parent);
}
