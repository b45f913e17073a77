// an exception in a running drain ends that drain alone, and is noted
import { MockActivityEnvironment } from '@temporalio/testing';
import { DefaultLogger } from '@temporalio/worker';
import { expect, test } from 'vitest';

import type { Drained } from '../../src/activities/contract.ts';
import { drain, type DrainDeps } from '../../src/activities/drain.ts';
import type { DrainContext } from '../../src/delivery/drainContext.ts';
import { HOLDER, openBlockedConsumer, type BlockedConsumer } from '../support/blocked.ts';
import { faultsOf } from '../support/faults.ts';
import { accept } from '../support/receiver.ts';

async function drainOnce(
  blocked: BlockedConsumer,
  context: Partial<DrainContext>,
): Promise<Drained> {
  const deps: DrainDeps = {
    ...faultsOf(blocked.api.api.db),
    context: { ...blocked.context, idleAfterMs: 50, ...context },
    holder: HOLDER,
    leaseMs: 5_000, // what crashed does not release it, so the next one waits as long
    register: (running) => {
      const timer = setInterval(() => running.tick(performance.now()), 10);
      return () => clearInterval(timer);
    },
  };
  const environment = new MockActivityEnvironment({}, { logger: new DefaultLogger('ERROR') });
  const { consumerId } = blocked;
  return environment.run<[], Drained, () => Promise<Drained>>(() =>
    drain(deps, { consumerId, waits: true }),
  );
}

async function noted(blocked: BlockedConsumer): Promise<{ code: string; is_crash: boolean }[]> {
  const { rows } = await blocked.api.api.db.query<{ code: string; is_crash: boolean }>(
    'select code, is_crash from start_faults',
  );
  return rows;
}

/** A context whose pages hold an entry that no code expects. */
function broken({ context }: BlockedConsumer): Partial<DrainContext> {
  const pages = {
    ...context.pages,
    read: async (...args: Parameters<DrainContext['pages']['read']>) => {
      const page = await context.pages.read(...args);
      return { ...page, entries: page.entries.map((entry) => ({ ...entry, body: null as never })) };
    },
  };
  return { pages };
}

test('an exception in a running drain is noted as a crash, is not blamed on the endpoint, and is cleared by the end of a run without one', async () => {
  await using blocked = await openBlockedConsumer(accept);
  await blocked.api.api.db.query(`update consumers set status = 'active', failing_since = null`);
  const crashed = await drainOnce(blocked, broken(blocked));
  expect(crashed).toMatchObject({ reason: 'unstartable', againInMs: 1_000, position: 0 });
  expect(crashed.cannotStart).toContain('unexpected error in Millrace (TypeError');
  expect(await noted(blocked)).toEqual([{ code: 'internal_error', is_crash: true }]);
  expect(blocked.receiver.received).toEqual([]);
  const { body } = await blocked.api.api.request('GET', `/v1/consumers/${blocked.consumerId}`);
  expect(body).toMatchObject({
    status: 'active',
    failing_since: null,
    cannot_start: { code: 'internal_error' },
  });

  expect(await drainOnce(blocked, {})).toMatchObject({ reason: 'idle', position: 3 });
  expect(await noted(blocked)).toEqual([]);
  expect(blocked.receiver.received).toHaveLength(3);
});
