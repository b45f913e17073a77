import { expect, test } from 'vitest';

import { createDatabase } from '../support/database.ts';
import { createFeed, tally, unstoredFrom } from '../support/feed.ts';
import { until } from '../support/poll.ts';
import { openCluster } from '../support/processes.ts';
import { accept, openReceiver } from '../support/receiver.ts';
import { ownerOf } from '../support/sockets.ts';

/** Far longer than the lease (8 s) and the heartbeat timeout (15 s). */
const FROZEN_MS = 32_000;
/** Temporal may give the task to the frozen one's long polls, which last a minute; mostly it takes 16 s. */
const TAKEOVER_MS = 180_000;
/** `max_in_flight`. */
const IN_FLIGHT = 64;

/** Needs /proc to tell which process a connection belongs to. */
test.runIf(process.platform === 'linux')(
  'a worker that wakes after it was frozen for long sends nothing more, and the other worker has lost nothing',
  async () => {
    await using database = await createDatabase();
    await using cluster = await openCluster(database.url);
    await using receiver = await openReceiver();
    const workers = await Promise.all([cluster.startWorker(), cluster.startWorker()]);
    await cluster.startServer();
    const pids = workers.map((worker) => worker.pid);
    const server = Number(new URL(receiver.url).port);
    const senders = new Map<number, number | null>(); // by connection, since the last `clear`
    const sentBy = new Map<number | null, Set<number>>(); // positions, since then
    const held: (() => void)[] = [];
    let isFrozen = false;
    receiver.respond = (received, response) => {
      const { port, position } = received;
      if (!senders.has(port)) senders.set(port, ownerOf({ client: port, server }, pids));
      const sender = senders.get(port) ?? null; // null: it had closed before it was looked up
      sentBy.set(sender, (sentBy.get(sender) ?? new Set()).add(position));
      if (isFrozen || receiver.received.length <= 1_000) accept(received, response);
      else held.push(() => accept(received, response)); // or all may be over before it is frozen
    };
    const feed = createFeed(cluster, 'a');
    await feed.append(0, 3_000);
    const { id } = await cluster.consumer(receiver.url);

    // A lane of visits may have begun, on either worker; it has so much to do that a drain goes on.
    await until(() => held.length > 0, { timeoutMs: 60_000 });
    const frozen = await until(() => cluster.senderOf(id), { timeoutMs: 60_000 });
    const other = pids.find((pid) => pid !== frozen) ?? 0;
    expect(pids).toContain(frozen);
    const frozenAt = performance.now();
    process.kill(frozen, 'SIGSTOP');
    let unstored = 0;
    const open = new Set<number>(); // positions that may come again
    try {
      unstored = unstoredFrom(frozenAt, await cluster.storedAt(id));
      const { position, ahead } = await cluster.settled(id);
      for (const one of receiver.received)
        if (one.position > position && !ahead.has(one.position)) open.add(one.position);
      expect(sentBy.has(frozen)).toBe(true);
      const before = receiver.received.length;
      expect(before).toBeLessThan(3_000);
      isFrozen = true;
      for (const answer of held) answer();
      await feed.append(3_000, 4_000);
      await until(() => tally(receiver, [feed]).missing.length === 0, { timeoutMs: TAKEOVER_MS });
      expect(await cluster.senderOf(id)).toBe(other);
      await until(() => performance.now() - frozenAt > FROZEN_MS, { timeoutMs: FROZEN_MS });
    } finally {
      senders.clear();
      sentBy.clear();
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
    // Between the last look at the clock and the write no program can be kept from being frozen.
    const woken = sentBy.get(frozen) ?? new Set();
    expect(woken.size).toBeLessThanOrEqual(1);
    expect(sentBy.has(other)).toBe(true);
    const { missing, repeated, outOfOrder } = tally(receiver, [feed]);
    expect({ missing, outOfOrder }).toEqual({ missing: [], outOfOrder: [] });
    expect(repeated.filter((one) => !open.has(one) && !woken.has(one))).toEqual([]);
    expect(repeated.length).toBeLessThanOrEqual(IN_FLIGHT + lateBound + woken.size);
  },
  500_000,
);
