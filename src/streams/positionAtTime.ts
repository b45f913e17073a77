import type { StreamName } from '../schema/stream.ts';

/** Runs a statement of this name, and returns its rows as arrays. */
export type ReadRows = (name: string, text: string, values: unknown[]) => Promise<unknown[][]>;

/** The position just before the first entry whose server time is at or after `time`, by bisection. */
export async function positionAtTime(
  readRows: ReadRows,
  stream: StreamName,
  time: string,
): Promise<number> {
  const [ends] = await readRows(
    `ends-${stream}`,
    `select first_position - 1, last_position from streams where name = '${stream}'`,
    [],
  );
  let [low, high] = ends as [number, number];
  const at = stream === 'events' ? 'event_inserted_at' : 'updated_at';
  // Everything up to `low` is older than `time`; the first entry above `high` is not.
  while (low < high) {
    const middle = Math.floor((low + high) / 2);
    const [row] = await readRows(
      `time-${stream}`,
      `select position, ${at} < $3 from ${stream}
              where position > $1 and position <= $2 order by position limit 1`,
      [middle, high, time],
    );
    if (row?.[1] === true) low = row[0] as number;
    else high = middle;
  }
  return low;
}
