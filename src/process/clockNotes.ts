import type { Sql } from '../db/db.ts';
import { aheadText } from './clockReadings.ts';

/** A note that has not been renewed for this long belongs to a process that is gone. */
const KEPT = `interval '3 minutes'`;

/** A sentence for each kind of process whose clock is wrong; it names no machine, as anyone may read it. */
export async function clockNotes(sql: Sql): Promise<string[]> {
  const worst = new Map<string, number>();
  for (const { process, aheadMs } of await wrongClocks(sql)) {
    const kind = process.split(' ')[0] ?? '';
    if (!worst.has(kind)) worst.set(kind, aheadMs);
  }
  return [...worst].map(([kind, ms]) => `The clock of a ${kind} is ${aheadText(ms)}`);
}

/** A process whose machine's clock is wrong. */
export interface WrongClock {
  /** Its kind, host and pid. */
  process: string;
  /** How far it is ahead of the clock of Postgres, ms; negative when it is behind. */
  aheadMs: number;
}

/** Notes how far a process's clock is ahead, ms; null: it is right, or the process ends. */
export async function noteClock(sql: Sql, process: string, aheadMs: number | null): Promise<void> {
  await sql.query({
    text: `delete from clocks where process = $1 or measured_at < clock_timestamp() - ${KEPT}`,
    values: [process],
  });
  if (aheadMs === null) return;
  await sql.query({
    text: `
      insert into clocks (process, ahead_ms, measured_at) values ($1, $2, clock_timestamp())
          on conflict (process) do update set ahead_ms = $2, measured_at = clock_timestamp()`,
    values: [process, aheadMs],
  });
}

/** The running processes whose clocks are wrong, the worst first. */
export async function wrongClocks(sql: Sql): Promise<WrongClock[]> {
  const { rows } = await sql.query<WrongClock>({
    text: `
      select process, ahead_ms as "aheadMs" from clocks
       where measured_at > clock_timestamp() - ${KEPT}
       order by abs(ahead_ms) desc, process`,
  });
  return rows;
}
