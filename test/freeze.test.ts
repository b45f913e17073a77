import { expect, test } from 'vitest';
import { createDatabase } from './support/database.ts';
import { createFeed, tally, unstoredFrom } from './support/feed.ts';
import { until } from './support/poll.ts';
import { openCluster } from './support/processes.ts';
import { accept, openReceiver } from './support/receiver.ts';
import { ownerOf } from './support/sockets.ts';

/** Far longer than the lease (8 s) and the heartbeat timeout (15 s). */
const FROZEN_MS = 32_000;
/** Temporal may give the task to the frozen one's long polls, which last a minute; mostly it takes 16 s. */
const TAKEOVER_MS = 180_000;
/** `max_in_flight`. */
const IN_FLIGHT = 64;

/** Needs /proc to tell which process a connection belongs to. */
test.runIf(process.platform === 'linux')(
  'a worker that was frozen for long and wakes sends nothing more; the other one has lost nothing',
  async () => {
    await using database = await createDatabase();
    await using cluster = await openCluster(database.url);
    await using receiver = await openReceiver();
    const workers = await Promise.all([cluster.startWorker(), cluster.startWorker()]);
    await cluster.startServer();
    const pids = workers.map((worker) => worker.pid);
    const senders = new Map<number, number | null>(); // by connection, since the last `clear`
    receiver.respond = (received, response) => {
      const { port } = received;
      if (!senders.has(port)) senders.set(port, ownerOf(port, pids));
      accept(received, response);
    };
    const feed = createFeed(cluster, 'a');
    await feed.append(0, 3_000);
    const { id } = await cluster.consumer(receiver.url);

    const frozen = await until(() => cluster.senderOf(id), { timeoutMs: 60_000 });
    const other = pids.find((pid) => pid !== frozen) ?? 0;
    expect(pids).toContain(frozen);
    await until(() => receiver.received.length >= 1_000, { timeoutMs: 60_000 });
    const frozenAt = performance.now();
    process.kill(frozen, 'SIGSTOP');
    let unstored = 0;
    const open = new Set<number>(); // positions that may come again
    try {
      unstored = unstoredFrom(frozenAt, await cluster.storedAt(id));
      const { position, ahead } = await cluster.settled(id);
      for (const one of receiver.received)
        if (one.position > position && !ahead.has(one.position)) open.add(one.position);
      // null: the connection had closed before its owner was looked up
      const known = [...senders.values()].filter((pid) => pid !== null);
      expect(new Set(known)).toEqual(new Set([frozen]));
      const before = receiver.received.length;
      expect(before).toBeLessThan(3_000);
      await feed.append(3_000, 4_000);
      await until(() => tally(receiver, [feed]).missing.length === 0, { timeoutMs: TAKEOVER_MS });
      expect(await cluster.senderOf(id)).toBe(other);
      await until(() => performance.now() - frozenAt > FROZEN_MS, { timeoutMs: FROZEN_MS });
    } finally {
      senders.clear();
      process.kill(frozen, 'SIGCONT');
    }
    const lateBound = receiver.received.filter(
      (one) => one.at <= frozenAt && one.at > unstored,
    ).length;

    await feed.append(4_000, 8_000);
    await cluster.caughtUp(id, 60_000);
    expect(await cluster.senderOf(id)).toBe(other);
    // It ends by itself, so everything it could still have sent has been sent.
    expect(await workers.find((worker) => worker.pid === frozen)?.stop()).toBe(0);
    const woken = [...senders.values()].filter((pid) => pid !== null); // null: as above
    expect(new Set(woken)).toEqual(new Set([other]));
    const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
    expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
    expect(repeated.filter((one) => !open.has(one))).toEqual([]);
    expect(repeated.length).toBeLessThanOrEqual(IN_FLIGHT + lateBound);
  },
  500_000,
);
