import { expect, test } from 'vitest';

import { createEmptyDatabase } from '../support/database.ts';
import { createFeed } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster, type Running } from '../support/processes.ts';
import { openReceiver } from '../support/receiver.ts';

const WAITS = 'this process waits for the migrations, which server.ts applies';

test('a worker that starts before the migrations are applied waits for them, says so in one line, then works, and no process logs an error', async () => {
  await using database = await createEmptyDatabase();
  await using cluster = await openCluster(database.url);
  await using receiver = await openReceiver();
  const seen: { worker?: Running; server?: Running } = {};
  const starting = cluster.startWorker({}, (run) => (seen.worker = run));
  await until(() => seen.worker?.stderr().includes('waits for the migrations'), {
    timeoutMs: 90_000,
  });
  seen.server = await cluster.startServer();
  await starting;
  const { id } = await cluster.consumer(receiver.url);
  await createFeed(cluster, 'a').append(0, 50);
  await cluster.caughtUp(id, 60_000);
  const [worker, server] = [linesOf(seen.worker), linesOf(seen.server)];
  const waits = worker.filter(({ msg }) => msg.includes('waits for'));
  expect(waits).toMatchObject([{ level: 'info', msg: WAITS }]);
  for (const { level, err } of [...worker, ...server]) {
    expect(level).toMatch(/^(?:info|warn)$/u);
    expect(err?.code).not.toBe('42P01'); // undefined_table
  }
}, 240_000);

interface Line {
  level: string;
  msg: string;
  err?: { code?: string };
}

function linesOf(run: Running | undefined): Line[] {
  const lines = run?.stderr().split('\n').filter(Boolean) ?? [];
  return lines.map((line) => JSON.parse(line) as Line);
}
