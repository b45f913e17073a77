import pino from 'pino';
import { expect, test } from 'vitest';

import { createListener } from '../../src/db/listener.ts';
import { startDrain } from '../../src/delivery/drain.ts';
import type { DrainContext } from '../../src/delivery/drainContext.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createDrains } from '../../src/temporal/drains.ts';
import { createOpenSender } from '../../src/temporal/openSender.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { faultsOf } from '../support/faults.ts';
import { until } from '../support/poll.ts';

test('a page that arrives after its drain has ended takes no memory from the others', async () => {
  await using opened = await openConsumersApi();
  const { db, vault } = opened.api;
  const log = pino({ level: 'silent' });
  const listener = createListener({ url: opened.databaseUrl, log });
  await using drains = createDrains({
    db,
    vault,
    listener,
    openSender: createOpenSender({
      egress: createEgress({ allowCidrs: [] }),
      userAgent: 'test',
      now: Date.now,
    }),
    holder: 'here',
    now: Date.now,
    idleAfterMs: 60_000,
    retryWindowMs: 60_000,
    reportHead: () => Promise.resolve(),
    ...faultsOf(db),
    slots: 100,
    log,
  });
  await opened.append('a', 500);
  const { id } = await opened.create({ start: 'beginning' });
  const real = drains.deps.context;
  const { promise: gate, resolve: open } = Promise.withResolvers<void>();
  let waiting = false;
  let returned = false;
  let held = 0;
  const context: DrainContext = {
    ...real,
    pages: {
      ...real.pages,
      read: async (request) => {
        const page = await real.pages.read(request);
        waiting = true;
        await gate;
        setImmediate(() => (returned = true));
        return page;
      },
    },
    budget: {
      ...real.budget,
      bytes: {
        ...real.budget.bytes,
        take: (bytes) => {
          held += bytes;
        },
      },
    },
  };
  const config = await context.loadConfig(id);
  const lease = await context.progress.acquire(id, 'here', 8_000);
  if (config === null || lease === null) throw new Error('there is no such consumer');
  const leaseUntil = performance.now() + 8_000;
  const delivery = startDrain({
    context,
    config,
    lease,
    leaseUntil,
    failedAttempts: new Map(),
    parkedRows: [],
    nowMs: Date.now,
  });
  await until(() => waiting);
  delivery.stop('yielded');
  expect(await delivery.ended).toMatchObject({ reason: 'yielded', position: 0 });
  open();
  await until(() => returned);
  expect(held).toBe(0);
  await listener.close();
});
