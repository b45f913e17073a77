import { readdirSync, readFileSync } from 'node:fs';

import type { Figure } from './figures.ts';

/** CPU seconds used so far, by the name of the process, with its children (such as Postgres' backends). */
export type Cpu = Record<string, number>;

/** Clock ticks a second, `sysconf(_SC_CLK_TCK)`, which is 100 on every Linux that Node runs on. */
const TICKS = 100;

/** Reads CPU seconds from /proc (proc(5), `stat`); empty where there is no /proc, as on macOS. */
export function readCpu(pids: Record<string, number | null>): Cpu {
  if (process.platform !== 'linux') return {};
  const table = readTable();
  return Object.fromEntries(
    Object.entries(pids).map(([name, pid]) => [name, pid === null ? 0 : ofTree(table, pid)]),
  );
}

/** The CPU seconds used between two readings. */
export function cpuBetween(before: Cpu, after: Cpu): Cpu {
  return Object.fromEntries(
    Object.entries(after).map(([name, seconds]) => [name, seconds - (before[name] ?? 0)]),
  );
}

/** The CPU seconds of several measurements together. */
export function sumOf(stretches: readonly Cpu[]): Cpu {
  const sum: Cpu = {};
  for (const cpu of stretches) {
    for (const [name, seconds] of Object.entries(cpu)) sum[name] = (sum[name] ?? 0) + seconds;
  }
  return sum;
}

/** One figure for each process and one for all of them together, to which the goal applies. */
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

/** CPU seconds that programs other than this process and its children have used; null without /proc. */
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
    // After the name, which may hold blanks: state (field 3), parent (4) … utime (14), stime (15), and
    // the times of children that have ended (16, 17).
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
    return null; // the process has ended meanwhile
  }
}

function ofTree(table: Map<number, Line>, root: number): number {
  let sum = table.get(root)?.seconds ?? 0;
  for (const [pid, { parent }] of table) if (parent === root) sum += ofTree(table, pid);
  return sum;
}
