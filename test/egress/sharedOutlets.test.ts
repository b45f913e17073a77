import { afterEach, beforeEach, expect, test, vi } from 'vitest';

import type { Outlet, OutletOptions } from '../../src/egress/outlet.ts';
import { createSharedOutlets } from '../../src/egress/sharedOutlets.ts';

const MINUTE = 60_000;
const TO: OutletOptions = { origin: 'http://a.test', connections: 1, connectTimeoutMs: 1_000 };

beforeEach(() => void vi.useFakeTimers());
afterEach(() => void vi.useRealTimers());

/** Shared outlets over ones that note how they were opened and whether they were closed. */
function openShared() {
  const opened: OutletOptions[] = [];
  const closed: string[] = [];
  const sent: string[] = [];
  const open = (options: OutletOptions): Outlet => {
    opened.push(options);
    const { origin } = options;
    const close = async (): Promise<void> => void closed.push(origin);
    return {
      dispatch: () => {
        sent.push(origin);
        return true;
      },
      close,
      destroy: () => Promise.reject(new Error('requests of others would be cut')),
    };
  };
  const shared = createSharedOutlets({ egress: { open }, connections: 100, eager: 8 });
  return { shared, opened, closed, sent };
}

test('users of one origin share its connections, as many as the process allows', () => {
  const { shared, opened } = openShared();
  shared.open(TO);
  shared.open({ ...TO, connections: 50 });
  expect(opened).toEqual([{ ...TO, connections: 100, eager: 8 }]);
});

test.each([
  ['origin', { origin: 'http://b.test' }],
  ['certificates', { ca: 'PEM' }],
  ['client certificate', { clientCertificate: { certificate: 'PEM', key: 'PEM' } }],
  ['time to connect', { connectTimeoutMs: 2_000 }],
])('senders with a different %s do not share connections', (_what, differs) => {
  const { shared, opened } = openShared();
  shared.open(TO);
  shared.open({ ...TO, ...differs });
  expect(opened).toHaveLength(2);
});

test('connections outlive the senders that release them, and are closed a minute after the last one', async () => {
  const { shared, opened, closed } = openShared();
  const [one, other] = [shared.open(TO), shared.open(TO)];
  await one.close();
  await one.close(); // again it has no effect
  await vi.advanceTimersByTimeAsync(3 * MINUTE);
  expect(closed).toEqual([]);
  await other.destroy();
  await vi.advanceTimersByTimeAsync(MINUTE / 2);
  shared.open(TO);
  expect(opened).toHaveLength(1);
  await vi.advanceTimersByTimeAsync(3 * MINUTE);
  expect(closed).toEqual([]);
});

test('an origin that is no longer used is forgotten, and opened again when it is used again', async () => {
  const { shared, opened, closed } = openShared();
  await shared.open(TO).close();
  await vi.advanceTimersByTimeAsync(2 * MINUTE);
  expect(closed).toEqual([TO.origin]);
  shared.open(TO);
  expect(opened).toHaveLength(2);
});

test('closing them closes all connections, including those in use', async () => {
  const { shared, closed } = openShared();
  shared.open(TO);
  await shared.open({ ...TO, origin: 'http://b.test' }).close();
  await shared.close();
  expect(closed.toSorted()).toEqual(['http://a.test', 'http://b.test']);
});
