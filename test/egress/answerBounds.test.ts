import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

import { afterEach, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import type { Outcome } from '../../src/rules/outcome.ts';
import { until } from '../support/poll.ts';
import { openSender } from '../support/sender.ts';

const TIMEOUT_MS = 500;
/** One turn of the sweep and of a busy machine. */
const SLACK_MS = 1_000;
/** Where an answer has to be read in time, also by a process that stands still for a while. */
const PATIENT_MS = 5_000;
const SWEEP_MS = 25;

const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Ended {
  outcome: Outcome;
  durationMs: number;
  /** Of that, without the time in which this process stood still. */
  ranMs: number;
}

/** An endpoint that writes what it likes, on bare sockets. */
async function openRude(behave: (socket: Socket) => void) {
  const sockets = new Set<Socket>();
  const ticking: NodeJS.Timeout[] = [];
  const rude = { origin: '', written: 0, sockets, ticking };
  const server = createServer((socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined); // it is cut off, as it should be
    socket.once('close', () => sockets.delete(socket));
    socket.once('data', () => behave(socket));
    socket.once('close', () => (rude.written += socket.bytesWritten));
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  rude.origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  closing.push(async () => {
    for (const timer of ticking) clearInterval(timer);
    for (const socket of sockets) socket.destroy();
    const closed = once(server, 'close');
    server.close();
    await closed;
  });
  return rude;
}

/** Writes a piece now and then, until its other side has gone. */
function drip(socket: Socket, everyMs: number, piece: (n: number) => string): NodeJS.Timeout {
  let n = 0;
  const timer = setInterval(() => {
    if (socket.destroyed) clearInterval(timer);
    else socket.write(piece((n += 1)));
  }, everyMs);
  return timer;
}

/** Writes as fast as it is read. */
function flood(socket: Socket, piece: string): void {
  const more = (): void => {
    while (!socket.destroyed && socket.write(piece));
  };
  socket.on('drain', more);
  more();
}

/** Sends as many at once, on as many connections; how they ended. */
async function sendTo(origin: string, count = 1, timeoutMs = TIMEOUT_MS): Promise<Ended[]> {
  const all: Ended[] = [];
  let [stoodMs, turnedAt] = [0, performance.now()];
  const stood = (): number => stoodMs + Math.max(0, performance.now() - turnedAt - SWEEP_MS);
  const { sender, destroy } = openSender({
    origin,
    connections: count,
    timeoutMs,
    samples: () => true,
    ended: (_message, outcome, _at, durationMs) =>
      void all.push({ outcome, durationMs, ranMs: durationMs - stood() }),
  });
  const sweep = setInterval(() => {
    [stoodMs, turnedAt] = [stood(), performance.now()];
    sender.sweep(performance.now());
  }, SWEEP_MS);
  closing.push(destroy);
  for (let n = 0; n < count; n += 1) {
    sender.send({ position: n, messageId: newId(), body: '{}' }, 1);
  }
  await until(() => all.length === count);
  clearInterval(sweep);
  expect(sender.inFlight).toBe(0);
  return all;
}

const OK = 'HTTP/1.1 200 OK\r\n';
const NO = 'HTTP/1.1 500 No\r\n';
const CHUNKED = `${OK}transfer-encoding: chunked\r\n\r\n`;
const SLOW: [string, (socket: Socket) => NodeJS.Timeout | null][] = [
  ['says nothing', () => null],
  ['drips its status line', (socket) => drip(socket, 100, (n) => OK[n - 1] ?? 'x')],
  [
    'says again and again that it is at it',
    (socket) => drip(socket, 50, () => 'HTTP/1.1 102 Processing\r\n\r\n'),
  ],
];

test.each(SLOW)('an endpoint that %s holds a slot no longer than its timeout', async (_w, act) => {
  const rude = await openRude((socket) => {
    const timer = act(socket);
    if (timer !== null) rude.ticking.push(timer);
  });
  for (const { outcome, durationMs, ranMs } of await sendTo(rude.origin, 8)) {
    expect(outcome).toMatchObject({ kind: 'failed', code: 'TIMEOUT' });
    expect(durationMs).toBeGreaterThanOrEqual(TIMEOUT_MS);
    expect(ranMs).toBeLessThan(TIMEOUT_MS + SLACK_MS);
  }
  await until(() => rude.sockets.size === 0);
});

test.each([
  ['200 and drips its headers', OK, 'delivered', 'x-1: 1\r\n'],
  ['500 and drips its headers', NO, 'failed', 'x-1: 1\r\n'],
  ['200 and drips its body', `${OK}content-length: 1000000\r\n\r\n`, 'delivered', 'x'],
  ['200 and drips chunks', CHUNKED, 'delivered', '1\r\nx\r\n'],
  ['500 and drips its body', `${NO}content-length: 1000000\r\n\r\n`, 'failed', 'x'],
])(
  'an endpoint that answers %s is cut off at the timeout, and its status counts',
  async (_w, head, kind, piece) => {
    const rude = await openRude((socket) => {
      socket.write(head);
      rude.ticking.push(drip(socket, 50, () => piece));
    });
    for (const { outcome, ranMs } of await sendTo(rude.origin, 8, PATIENT_MS)) {
      expect(outcome.kind).toBe(kind);
      expect(outcome).toMatchObject({ status: kind === 'delivered' ? 200 : 500 });
      expect(ranMs).toBeLessThan(PATIENT_MS + SLACK_MS);
    }
    await until(() => rude.sockets.size === 0);
  },
);

test.each([
  ['a body without end', `${OK}\r\n`, 'x'.repeat(16_384)],
  ['chunks without end', CHUNKED, `4000\r\n${'x'.repeat(16_384)}\r\n`],
  ['a body of a gigabyte', `${OK}content-length: 1000000000\r\n\r\n`, 'x'.repeat(16_384)],
])('64 KB of %s are read and 2 KB kept, and the connection is closed', async (_w, head, piece) => {
  const rude = await openRude((socket) => {
    socket.write(head);
    flood(socket, piece);
  });
  const [{ outcome, durationMs } = {} as Ended] = await sendTo(rude.origin, 1, PATIENT_MS);
  expect(outcome).toMatchObject({ kind: 'delivered', status: 200 });
  expect(outcome.kind === 'delivered' && outcome.responseHead).toBe('x'.repeat(2_048));
  expect(durationMs).toBeLessThan(PATIENT_MS); // it is not the clock that ends it
  await until(() => rude.sockets.size === 0);
  // What the system's buffers hold, not what seconds of loopback bring.
  expect(rude.written).toBeLessThan(16 * 1024 * 1024);
});

test('endless headers are cut off, and the status counts', async () => {
  const rude = await openRude((socket) => {
    socket.write(OK);
    flood(socket, `x-much: ${'y'.repeat(8_192)}\r\n`);
  });
  const [{ outcome, ranMs } = {} as Ended] = await sendTo(rude.origin, 1, PATIENT_MS);
  expect(outcome).toMatchObject({ kind: 'delivered', status: 200 });
  expect(ranMs).toBeLessThan(PATIENT_MS + SLACK_MS);
  await until(() => rude.sockets.size === 0);
});

test('an answer that switches protocols, is no HTTP, or is two answers harms nothing', async () => {
  for (const [text, kind] of [
    ['HTTP/1.1 101 Switching Protocols\r\nupgrade: h2c\r\nconnection: upgrade\r\n\r\n', 'failed'],
    ['SSH-2.0-OpenSSH_9.2\r\n', 'failed'],
    [`${OK}content-length: 5\r\ncontent-length: 6\r\n\r\nhello`, 'failed'],
    [`${OK}content-length: 0\r\n\r\nHTTP/1.1 500 No\r\ncontent-length: 0\r\n\r\n`, 'delivered'],
  ] as const) {
    const rude = await openRude((socket) => void socket.write(text));
    const [{ outcome } = {} as Ended] = await sendTo(rude.origin, 1, PATIENT_MS);
    expect([text, outcome.kind]).toEqual([text, kind]);
  }
});
