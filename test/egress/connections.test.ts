import { expect, test, vi } from 'vitest';

import { createEgress } from '../../src/egress/egress.ts';
import type { OutletOptions } from '../../src/egress/outlet.ts';
import type { Outcome } from '../../src/rules/outcome.ts';
import { LOOPBACK } from '../support/app.ts';
import { until } from '../support/poll.ts';
import { openPoster } from '../support/poster.ts';
import { openRaw, turns } from '../support/rawServer.ts';
import { openSilent } from '../support/silent.ts';

const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const TIMEOUT_MS = 20_000;
const at = (...addresses: string[]) => addresses.map((address) => ({ address, family: 4 }));

test('a connection is not used beyond its greatest age, so that steady traffic follows a name that moves', async () => {
  await using old = await openRaw({ answer: (socket) => socket.write(OK) });
  await using moved = await openRaw({
    host: '127.0.0.2',
    port: old.port,
    answer: (socket) => socket.write(OK),
  });
  let address = '127.0.0.1';
  const resolve = () => Promise.resolve(at(address));
  const egress = createEgress({ allowCidrs: LOOPBACK, resolve, maxAgeMs: 300 });
  const origin = `http://name.test:${old.port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: TIMEOUT_MS });
  const outcomes: Outcome[] = [];
  await until(async () => {
    outcomes.push(await poster.post());
    if (outcomes.length === 5) address = '127.0.0.2';
    return moved.requests.length > 0;
  });
  expect(outcomes.filter(({ kind }) => kind !== 'delivered')).toEqual([]);
  expect(old.connections).toBeLessThan(outcomes.length);
  expect(old.requests.length + moved.requests.length).toBe(outcomes.length);
});

test('no request is cut because its connection gets old', async () => {
  const { promise: asked, resolve: ask } = Promise.withResolvers<() => void>();
  await using server = await openRaw({
    answer: (socket) => ask(() => void socket.write(OK)),
  });
  const egress = createEgress({ allowCidrs: LOOPBACK, maxAgeMs: 1 });
  const origin = `http://127.0.0.1:${server.port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: TIMEOUT_MS });
  const posted = poster.post();
  const answer = await asked;
  const since = performance.now();
  await until(() => performance.now() - since > 5);
  answer();
  expect(await posted).toMatchObject({ kind: 'delivered' });
  expect(server.connections).toBe(1);
});

test('a lost request is repeated on a new connection, not on another old one that may be dead as well', async () => {
  let dead = 0;
  await using server = await openRaw({
    answer: (socket, { connection, nth }) => {
      if (nth <= 3) return void (nth === 3 && finish());
      if (connection > 3) return void socket.write(OK);
      dead += 1;
      socket.resetAndDestroy();
    },
    connected: (socket) => void open.push(() => socket.write(OK)),
  });
  const open: (() => void)[] = [];
  const finish = (): void => {
    for (const answer of open.splice(0)) answer();
  };
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const origin = `http://127.0.0.1:${server.port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: TIMEOUT_MS, connections: 3 });
  await Promise.all([poster.post(), poster.post(), poster.post()]);
  expect(server.connections).toBe(3);
  expect(await poster.post()).toMatchObject({ kind: 'delivered' });
  expect([dead, server.connections]).toEqual([1, 4]);
});

test('a lost request is not repeated once its sender may no longer start requests', async () => {
  let startBy = Infinity;
  await using server = await openRaw({
    answer: (socket, { nth }) => {
      if (nth === 1) return void socket.write(OK);
      startBy = 0;
      socket.resetAndDestroy();
    },
  });
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const origin = `http://127.0.0.1:${server.port}`;
  const options = { egress, origin, timeoutMs: TIMEOUT_MS, startBy: () => startBy };
  await using poster = openPoster(options);
  expect(await poster.post()).toMatchObject({ kind: 'delivered' });
  expect(await poster.post()).toMatchObject({ kind: 'ours', detail: 'the lease ended' });
  expect(server.requests.length).toBe(2);
});

test('requests that wait for a connection when their sender may no longer start them end at once, and cost no connection', async () => {
  let startBy = Infinity;
  let answer = (): unknown => undefined;
  await using server = await openRaw({
    answer: (socket) => {
      answer = () => socket.write(OK);
    },
  });
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const origin = `http://127.0.0.1:${server.port}`;
  await using poster = openPoster({
    egress,
    origin,
    timeoutMs: TIMEOUT_MS,
    startBy: () => startBy,
  });
  const open = poster.post();
  const waiting = Array.from({ length: 20 }, () => poster.post());
  await until(() => server.requests.length === 1);
  startBy = 0;
  poster.letGo();
  const ended = await Promise.all(waiting);
  expect(ended.every(({ kind }) => kind === 'ours')).toBe(true);
  answer();
  expect(await open).toMatchObject({ kind: 'delivered' });
  startBy = Infinity;
  const next = poster.post();
  await until(() => server.requests.length === 2);
  answer();
  expect(await next).toMatchObject({ kind: 'delivered' });
  expect(server.connections).toBe(1);
});

test('an idle connection that the server closes does not cost an attempt', async () => {
  let end = (): unknown => undefined;
  await using server = await openRaw({
    answer: (socket) => {
      socket.write(OK);
      end = () => socket.resetAndDestroy();
    },
  });
  const egress = createEgress({ allowCidrs: LOOPBACK });
  const origin = `http://127.0.0.1:${server.port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: TIMEOUT_MS });
  for (let round = 0; round < 20; round += 1) {
    expect(await poster.post()).toMatchObject({ kind: 'delivered' });
    await turns(round % 4);
    end(); // at the same time as the next request
  }
  expect(server.connections).toBe(20);
});

test.runIf(process.platform === 'linux')(
  'a slow address is waited for while another one refuses',
  async () => {
    await using nothing = await openRaw({ host: '127.0.0.4', answer: () => undefined });
    await using slow = await openSilent('127.0.0.3', nothing.port);
    const resolve = () => Promise.resolve(at('127.0.0.3', '127.0.0.2'));
    const egress = createEgress({ allowCidrs: LOOPBACK, resolve });
    const origin = `http://name.test:${nothing.port}`;
    await using poster = openPoster({ egress, origin, timeoutMs: TIMEOUT_MS });
    const since = performance.now();
    const posted = poster.post();
    await until(() => performance.now() - since > 500); // beyond the head start of the second one
    slow.wake();
    expect(await posted).toMatchObject({ kind: 'delivered', status: 200 });
  },
);

test('beyond the first connections, more are opened only while requests keep waiting', async () => {
  const answers: (() => void)[] = [];
  await using server = await openRaw({
    answer: (socket) => void answers.push(() => socket.write(OK)),
  });
  const whole = createEgress({ allowCidrs: LOOPBACK });
  const egress = { ...whole, open: (to: OutletOptions) => whole.open({ ...to, eager: 2 }) };
  const origin = `http://127.0.0.1:${server.port}`;
  await using poster = openPoster({ egress, origin, timeoutMs: TIMEOUT_MS, connections: 100 });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  try {
    const posted = Array.from({ length: 6 }, () => poster.post());
    for (const connections of [2, 3, 4]) {
      await until(() => answers.length === connections);
      expect(server.connections).toBe(connections);
      vi.advanceTimersByTime(24);
      await turns();
      expect(server.connections).toBe(connections);
      if (connections < 4) vi.advanceTimersByTime(1);
    }
    await until(() => {
      for (const answer of answers.splice(0)) answer();
      return server.requests.length === 6;
    });
    for (const answer of answers.splice(0)) answer();
    expect(new Set((await Promise.all(posted)).map(({ kind }) => kind))).toEqual(
      new Set(['delivered']),
    );
    vi.advanceTimersByTime(1_000); // nothing waits any more
    await turns();
    expect(server.connections).toBe(4);
  } finally {
    vi.useRealTimers();
  }
});
