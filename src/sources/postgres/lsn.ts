/** A place in the write-ahead log of a Postgres; places compare as numbers do. */
export type Lsn = bigint;

/** Before every place in the log. */
export const NO_LSN: Lsn = 0n;

const LSN = /^([0-9A-F]{1,8})\/([0-9A-F]{1,8})$/iu;

/** Reads Postgres' text of an LSN, such as `16/B374D848`; throws at any other text. */
export function parseLsn(text: string): Lsn {
  const [, high, low] = LSN.exec(text) ?? [];
  if (high === undefined || low === undefined) throw new Error(`${text} is not an LSN`);
  return (BigInt(`0x${high}`) << 32n) | BigInt(`0x${low}`);
}

/** Postgres' own text of an LSN, which `parseLsn` reads back. */
export function formatLsn(lsn: Lsn): string {
  const high = lsn >> 32n;
  const low = lsn & 0xffffffffn;
  return `${high.toString(16).toUpperCase()}/${low.toString(16).toUpperCase()}`;
}
