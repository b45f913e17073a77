import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout as wait } from 'node:timers/promises';

import { percentilesOf, type Percentiles } from '../../test/support/percentiles.ts';
const FILE_BYTES = 16 * 1024 * 1024;
const WRITE_BYTES = 8 * 1024;
const PROBE_MS = 1_000;
/** Often enough to notice a stall of a tenth of a second, but too seldom to put load on the disk, ms. */
const WATCH_MS = 50;

/**
 * Measures how long this disk takes, in ms, for what Postgres does at each commit: one write into an existing
 * file, and its fdatasync. No append can be answered faster than that.
 */
export async function probeDisk(): Promise<Percentiles> {
  await using probe = await openProbe();
  const times: number[] = [];
  const until = performance.now() + PROBE_MS;
  while (performance.now() < until) times.push(await probe.sync());
  return percentilesOf(times);
}

/** Runs `work`; returns its result and the longest fdatasync during it, ms. */
export async function watchDisk<Result>(
  work: () => Promise<Result>,
): Promise<{ result: Result; worstMs: number }> {
  await using probe = await openProbe();
  let worstMs = 0;
  let over = false;
  const watching = (async () => {
    for (; !over; await wait(WATCH_MS)) worstMs = Math.max(worstMs, await probe.sync());
  })();
  let result: Result;
  try {
    result = await work();
  } finally {
    over = true;
    await watching;
  }
  return { result, worstMs };
}

interface Probe extends AsyncDisposable {
  /** Writes the next block; returns how long its fdatasync took, ms. */
  sync(): Promise<number>;
}

async function openProbe(): Promise<Probe> {
  await using opened = new AsyncDisposableStack();
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-disk-'));
  opened.defer(() => rm(folder, { recursive: true, force: true }));
  const file = opened.use(await open(join(folder, 'probe'), 'w'));
  await file.write(Buffer.alloc(FILE_BYTES, 1), 0, FILE_BYTES, 0);
  await file.sync();
  const block = Buffer.alloc(WRITE_BYTES, 2);
  let at = 0;
  const kept = opened.move();
  return {
    sync: async () => {
      await file.write(block, 0, WRITE_BYTES, at);
      at = (at + WRITE_BYTES) % FILE_BYTES;
      const from = performance.now();
      await file.datasync();
      return performance.now() - from;
    },
    [Symbol.asyncDispose]: () => kept.disposeAsync(),
  };
}
