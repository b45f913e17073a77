import type { ChunkOutcome, PlacedChunk } from './groupPlan.ts';

/** Chunks between their reader and the log, in which their ends come. */
export interface ChunkDesk {
  /** A chunk is about to be read; its end may be in the log before it is here. */
  open(id: string): OpenChunk;
  /** Whether this chunk is awaited here. */
  has(id: string): boolean;
  /** Resolves with a chunk once it is read; rejects when it can't be. */
  read(id: string): Promise<PlacedChunk>;
  /** What became of a chunk is known, and stored. */
  settle(id: string, outcome: ChunkOutcome): void;
  /** Nothing is read or settled any more. */
  close(error: Error): void;
}

/** A chunk for whoever reads it. */
export interface OpenChunk {
  /** Resolves once it is known what became of it; rejects when that will never be known here. */
  settled: Promise<ChunkOutcome>;
  isRead(chunk: PlacedChunk): void;
  /** It could not be read. */
  failed(error: Error): void;
}

interface Entry {
  read: PromiseWithResolvers<PlacedChunk>;
  settled: PromiseWithResolvers<ChunkOutcome>;
}

export function createChunkDesk(): ChunkDesk {
  const entries = new Map<string, Entry>();
  let closed: Error | null = null;

  function open(id: string): OpenChunk {
    const entry: Entry = { read: Promise.withResolvers(), settled: Promise.withResolvers() };
    entry.read.promise.catch(() => undefined); // nobody may ask for it
    entry.settled.promise.catch(() => undefined);
    entries.set(id, entry);
    const failed = (error: Error): void => {
      entries.delete(id);
      entry.read.reject(error);
      entry.settled.reject(error);
    };
    if (closed !== null) failed(closed);
    return { settled: entry.settled.promise, isRead: entry.read.resolve, failed };
  }

  return {
    open,
    has: (id) => entries.has(id),
    read: (id) => {
      const entry = entries.get(id);
      if (entry === undefined) throw new Error(`There is no chunk ${id}`);
      return entry.read.promise;
    },
    settle: (id, outcome) => {
      entries.get(id)?.settled.resolve(outcome);
      entries.delete(id);
    },
    close: (error) => {
      closed = error;
      for (const { read, settled } of entries.values()) {
        read.reject(error);
        settled.reject(error);
      }
      entries.clear();
    },
  };
}
