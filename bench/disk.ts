import { mkdtemp, open, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { percentilesOf } from './percentiles.ts';
import type { Percentiles } from './percentiles.ts';

const FILE_BYTES = 16 * 1024 * 1024;
const WRITE_BYTES = 8 * 1024;
const PROBE_MS = 1_000;

/**
 * How long this disk takes for what Postgres does at each commit: one write into a file that is
 * there already, and its fdatasync. Appends can't be answered faster than that.
 */
export async function probeDisk(): Promise<Percentiles> {
  const folder = await mkdtemp(join(tmpdir(), 'millrace-bench-disk-'));
  const file = await open(join(folder, 'probe'), 'w');
  try {
    await file.write(Buffer.alloc(FILE_BYTES, 1), 0, FILE_BYTES, 0);
    await file.sync();
    const block = Buffer.alloc(WRITE_BYTES, 2);
    const times: number[] = [];
    const until = performance.now() + PROBE_MS;
    for (let at = 0; performance.now() < until; at = (at + WRITE_BYTES) % FILE_BYTES) {
      await file.write(block, 0, WRITE_BYTES, at);
      const from = performance.now();
      await file.datasync();
      times.push(performance.now() - from);
    }
    return percentilesOf(times);
  } finally {
    await file.close();
    await rm(folder, { recursive: true, force: true });
  }
}
