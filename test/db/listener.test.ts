import { expect, test } from 'vitest';

import { createListener } from '../../src/db/listener.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';
import { anEvent, openStreams, silent } from '../support/streams.ts';

test('an append is announced with its position', async () => {
  await using streams = await openStreams();
  const heard: (string | null)[] = [];
  streams.listener.on('millrace_events', (payload) => heard.push(payload));
  await until(() => heard.length > 0);
  expect(heard[0]).toBeNull(); // what was said until now may have been missed
  await streams.appender.events([anEvent()]);
  await until(() => heard.length > 1);
  const first = Number(heard[1]);
  await streams.appender.events([anEvent(), anEvent()]);
  const { rows } = await streams.db.query<{ last: number }>(
    `select last_position as last from streams where name = 'events'`,
  );
  expect(first).toBeGreaterThan(0);
  await until(() => heard.at(-1) === String(rows[0]!.last));
});

test('a channel that is not listened to yet misses nothing: its listeners are called once it is', async () => {
  await using streams = await openStreams();
  await using proxy = await createProxy(streams.url);
  proxy.setAway(true);
  await using listener = createListener({ url: proxy.url, log: silent });
  const heard: string[] = [];
  listener.on('millrace_events', (payload) => heard.push(`events ${payload}`));
  await streams.appender.events([anEvent()]);
  proxy.setAway(false);
  await until(() => heard.length > 0);
  listener.on('millrace_records', (payload) => heard.push(`records ${payload}`));
  await until(() => heard.length > 1);
  expect(heard).toEqual(['events null', 'records null']);
});

test('after a lost connection each listener is called once without a payload, and is notified again from then on', async () => {
  await using streams = await openStreams();
  await using proxy = await createProxy(streams.url);
  await using listener = createListener({ url: proxy.url, log: silent });
  const heard: (string | null)[] = [];
  const stop = listener.on('millrace_events', (payload) => heard.push(payload));
  const appendUntilHeard = () =>
    until(async () => {
      const before = heard.length;
      await streams.appender.events([anEvent()]);
      return heard.length > before && heard.at(-1) !== null;
    });
  await until(() => heard.length > 0); // as above
  await appendUntilHeard();
  heard.length = 0;
  proxy.setAway(true);
  await streams.appender.events([anEvent()]);
  proxy.setAway(false);
  await until(() => heard.includes(null));
  await appendUntilHeard();
  expect(heard.filter((payload) => payload === null)).toHaveLength(1);
  stop();
  const after = heard.length;
  await streams.appender.events([anEvent()]);
  await appendTwiceThroughAnother(listener, () => streams.appender.events([anEvent()]));
  expect(heard).toHaveLength(after);
});

test('a listener whose server has vanished silently connects again', async () => {
  await using streams = await openStreams();
  await using proxy = await createProxy(streams.url);
  await using listener = createListener({ url: proxy.url, keepaliveMs: 100, log: silent });
  const heard: (string | null)[] = [];
  listener.on('millrace_events', (payload) => heard.push(payload));
  await until(() => heard.length === 1);
  proxy.silenceOpen();
  const begun = () => heard.filter((payload) => payload === null).length;
  await until(() => begun() === 2);
  await streams.appender.events([anEvent()]);
  await until(() => heard.length === 3);
  expect(heard).toEqual([null, null, '1']);
});

/** Waits until another listener of the same connection has heard: what came before was said by then. */
async function appendTwiceThroughAnother(
  listener: ReturnType<typeof createListener>,
  append: () => Promise<unknown>,
): Promise<void> {
  let heard = 0;
  const stop = listener.on('millrace_events', () => heard++);
  await append();
  await until(() => heard > 0);
  stop();
}
