import { readFileSync } from 'node:fs';

/** The most memory that a process has had so far, MB; null without /proc or without the process. */
export function peakRss(pid: number | null): number | null {
  if (process.platform !== 'linux' || pid === null) return null;
  try {
    // proc(5), `status`: the high-water mark of the resident set
    const kb = /^VmHWM:\s+(\d+)/mu.exec(readFileSync(`/proc/${pid}/status`, 'utf8'))?.[1];
    return kb === undefined ? null : Number(kb) / 1_024;
  } catch {
    return null; // the process has ended meanwhile
  }
}
