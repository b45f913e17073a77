import { readdirSync, readFileSync } from 'node:fs';

import type { Figure } from './figures.ts';

/** CPU seconds used so far, by the name of the process; children (Postgres' backends) included. */
export type Cpu = Record<string, number>;

/** Of `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Reads /proc (proc(5), `stat`); an empty answer where there is none, as on macOS. */
export function readCpu(pids: Record<string, number | null>): Cpu {
  if (process.platform !== 'linux') return {};
  const table = readTable();
  return Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => [name, pid === null ? 0 : ofTree(table, pid)]),
  );
}

/** What was used between two readings. */
export function cpuBetween(before: Cpu, after: Cpu): Cpu {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
  );
}

/** What several stretches took together. */
export function sumOf(stretches: readonly Cpu[]): Cpu {
  const sum: Cpu = {};
  for (const cpu of stretches) {
    for (const [name, seconds] of Object.entries(cpu)) sum[name] = (sum[name] ?? 0) + seconds;
  }
  return sum;
}

/** A figure a process and one for all of them; the goal is that of all. */
export function cpuFigures(cpu: Cpu, thousands: number, goal?: Figure['goal']): Figure[] {
  const unit = 's per 1,000';
  const figures = Object.entries(cpu).map(([name, seconds]): Figure => ({
    name: `CPU of ${name}`,
    value: seconds / thousands,
    unit,
  }));
  if (figures.length === 0) return []; // no /proc here
  const value = figures.reduce((sum, figure) => sum + figure.value, 0);
  return [...figures, { name: 'CPU in all', value, unit, ...(goal === undefined ? {} : { goal }) }];
}

/** Seconds that the machine's CPUs were busy with anything but this process and what it started. */
export function readOthers(): number | null {
  if (process.platform !== 'linux') return null;
  // proc(5), `stat`: user, nice, system, idle, iowait, irq, softirq, steal
  const [line = ''] = readFileSync('/proc/stat', 'utf8').split('\n');
  const [user, nice, system, , , irq, softirq, steal] = line.split(/ +/u).slice(1).map(Number);
  const busy = [user, nice, system, irq, softirq, steal].reduce<number>(
    (sum, one) => sum + (one ?? 0),
    0,
  );
  return busy / TICKS - ofTree(readTable(), process.pid);
}

interface Line {
  parent: number;
  seconds: number;
}

function readTable(): Map<number, Line> {
  const table = new Map<number, Line>();
  for (const name of readdirSync('/proc')) {
    const pid = Number(name);
    if (!Number.isInteger(pid)) continue;
    const stat = readStat(pid);
    if (stat === null) continue;
    // after the name, which may hold blanks: state (field 3), parent (4) … utime (14), stime (15),
    // and those of children that have ended (16, 17)
    const fields = stat.slice(stat.lastIndexOf(')') + 2).split(' ');
    const ticks = fields.slice(11, 15).reduce((sum, field) => sum + Number(field), 0);
    table.set(pid, { parent: Number(fields[1]), seconds: ticks / TICKS });
  }
  return table;
}

function readStat(pid: number): string | null {
  try {
    return readFileSync(`/proc/${pid}/stat`, 'utf8');
  } catch {
    return null; // ended in between
  }
}

function ofTree(table: Map<number, Line>, root: number): number {
  let sum = table.get(root)?.seconds ?? 0;
  for (const [pid, { parent }] of table) if (parent === root) sum += ofTree(table, pid);
  return sum;
}
