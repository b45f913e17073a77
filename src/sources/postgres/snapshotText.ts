/** Which transactions a reader sees. */
export interface Visibility {
  /** Those that were under way, and are not seen: the lower 32 bits of their ids, as the log has them. */
  underWay: ReadonlySet<number>;
  /** The lower 32 bits of the first id that had not been given yet. */
  next: number;
}

const SNAPSHOT = /^\d+:(\d+):((?:\d+(?:,\d+)*)?)$/u;
const LOWER = 0xffffffffn;

/** Reads the text of a `pg_snapshot`, such as `10:20:10,14`; throws at any other text. */
export function parseSnapshot(text: string): Visibility {
  const [, next, list] = SNAPSHOT.exec(text) ?? [];
  if (next === undefined || list === undefined) throw new Error(`${text} is not a snapshot`);
  const ids = list === '' ? [] : list.split(',');
  return { underWay: new Set(ids.map(lowerOf)), next: lowerOf(next) };
}

/** Whether a reader sees a transaction that has committed, by the id that the log has. */
export function isVisible({ underWay, next }: Visibility, xid: number): boolean {
  const age = (next - xid) >>> 0; // ids go round; none in use is older than half of them
  return age > 0 && age < 2 ** 31 && !underWay.has(xid);
}

function lowerOf(id: string): number {
  return Number(BigInt(id) & LOWER);
}
