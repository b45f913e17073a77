import { readFileSync } from 'node:fs';

import type { Figure } from './figures.ts';
import type { Installation } from './installation.ts';

/** The most memory that a process had at any time so far, MB; null without /proc or without the process. */
export function peakRss(pid: number | null): number | null {
  return statusMb(pid, 'VmHWM');
}

/** The memory that each worker has now, with its peak so far; nothing where there is no /proc. */
export function workerMemory(
  { pids }: Pick<Installation, 'pids'>,
  goal: NonNullable<Figure['goal']>,
): Figure[] {
  return Object.entries(pids()).flatMap(([name, pid]): Figure[] => {
    const value = name.startsWith('worker') ? statusMb(pid, 'VmRSS') : null;
    if (value === null) return [];
    const note = `${peakRss(pid)?.toFixed(0)} at its peak`;
    return [{ name: `memory of ${name}`, value, unit: 'MB', goal, note }];
  });
}

/** A field of proc(5), `status`: `VmRSS` is the resident set, `VmHWM` its high-water mark. */
function statusMb(pid: number | null, field: 'VmRSS' | 'VmHWM'): number | null {
  if (process.platform !== 'linux' || pid === null) return null;
  try {
    const status = readFileSync(`/proc/${pid}/status`, 'utf8');
    const kb = new RegExp(`^${field}:\\s+(\\d+)`, 'mu').exec(status)?.[1];
    return kb === undefined ? null : Number(kb) / 1_024;
  } catch {
    return null; // the process has ended meanwhile
  }
}
