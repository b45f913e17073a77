import type { ParkedEntry } from './parkedEntry.ts';

/** The bodies of parked entries that are in memory, because they are still to be stored or have been handed out. */
export interface ParkedBodies {
  /** Counts an entry that has its body. */
  keep(parked: ParkedEntry): void;
  /** Gives an entry its body. */
  load(parked: ParkedEntry, body: string): void;
  /** Drops a body that Postgres has; one that is still to be stored is kept. */
  letGo(parked: ParkedEntry): void;
  /** The size of them all. */
  readonly bytes: number;
}

/** Creates it without bodies. */
export function createParkedBodies(): ParkedBodies {
  let bytes = 0;
  return {
    keep: ({ entry }) => {
      bytes += entry.bytes;
    },
    load: ({ entry }, body) => {
      entry.body = body;
      entry.bytes = Buffer.byteLength(body);
      bytes += entry.bytes;
    },
    letGo: ({ entry, stored }) => {
      if (!stored) return;
      bytes -= entry.bytes;
      entry.body = '';
      entry.bytes = 0;
    },
    get bytes() {
      return bytes;
    },
  };
}
