import { afterEach, expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { hide } from '../../src/egress/hide.ts';
import { createWebhookSender, type Message } from '../../src/egress/webhookSender.ts';
import type { Outcome } from '../../src/rules/outcome.ts';
import type { AttemptTrace } from '../../src/schema/attemptTrace.ts';
import { LOOPBACK } from '../support/app.ts';
import { selfSigned } from '../support/certificate.ts';
import { openRaw } from '../support/rawServer.ts';
import { openReceiver } from '../support/receiver.ts';

/** Of what is to time out, in half of which a busy machine connects; all else has as long as it needs. */
const TIMEOUT_MS = 3_000;
const PATIENT_MS = 15_000;
const SWEEP_MS = 10;
const SECRET = 'hunter22';
const closing: (() => Promise<void>)[] = [];
afterEach(async () => {
  for (const close of closing.splice(0)) await close();
});

interface Way {
  origin: string;
  samples?: () => boolean;
  ca?: string;
  path?: string;
  timeoutMs?: number;
}

/** A sender whose attempts are waited for. */
function openWay({ origin, samples, ca, path = '/in?a=1', timeoutMs = PATIENT_MS }: Way) {
  const outlet = createEgress({ allowCidrs: LOOPBACK }).open({
    origin,
    connections: 1,
    connectTimeoutMs: timeoutMs,
    ca: ca ?? null,
  });
  const ends = new Map<string, (ended: { outcome: Outcome; ms: number }) => void>();
  const sender = createWebhookSender<Message>({
    outlet,
    origin,
    path,
    sign: () => 'v1,none',
    headers: ['X-Shop', 'north', 'Authorization', `Basic ${SECRET}`, 'X-Plain', SECRET],
    hiding: hide([SECRET], false),
    consumerId: 'test',
    userAgent: 'Millrace/test',
    now: Date.now,
    timeoutMs,
    ...(samples === undefined ? {} : { samples }),
    ended: ({ messageId }, outcome, _at, ms) => ends.get(messageId)?.({ outcome, ms }),
  });
  const sweep = setInterval(() => sender.sweep(performance.now()), SWEEP_MS);
  closing.push(async () => {
    clearInterval(sweep);
    await outlet.destroy();
  });
  return (body = '{}', attempt = 1): Promise<{ outcome: Outcome; ms: number }> =>
    new Promise((resolve) => {
      const messageId = newId();
      ends.set(messageId, resolve);
      sender.send({ position: 7, messageId, body }, attempt);
    });
}

function traceOf({ outcome }: { outcome: Outcome }): AttemptTrace {
  if (outcome.kind === 'ours' || outcome.trace === undefined) throw new Error('not traced');
  return outcome.trace;
}

const always = () => ({ samples: () => true });
const valueOf = (headers: AttemptTrace['request_headers'], name: string): string | undefined =>
  headers.find((one) => one.name.toLowerCase() === name)?.value;

test('a trace says what was sent, what came back, and masks credentials in both', async () => {
  await using receiver = await openReceiver((_, response) => {
    response.writeHead(503, { 'x-why': `no ${SECRET}`, 'set-cookie': ['a=1', 'b=2'] }).end('busy');
  });
  const { origin } = new URL(receiver.url);
  const trace = traceOf(await openWay({ origin })('{"event":{"ö":1}}'));
  const [got] = receiver.received;
  expect(trace.url).toBe(`${origin}/in?a=••••`);
  expect(got?.path).toBe('/in?a=1');
  expect(trace.request_bytes).toBe(Buffer.byteLength('{"event":{"ö":1}}'));
  for (const name of ['webhook-id', 'webhook-timestamp', 'traceparent', 'x-shop', 'user-agent']) {
    expect(valueOf(trace.request_headers, name)).toBe(got?.headers[name]);
  }
  expect(valueOf(trace.request_headers, 'authorization')).toBe('••••');
  expect(valueOf(trace.request_headers, 'x-plain')).toBe('••••');
  expect(valueOf(trace.response_headers, 'x-why')).toBe('no ••••');
  const cookies = trace.response_headers.filter(({ name }) => name === 'set-cookie');
  expect(cookies.map(({ value }) => value)).toEqual(['••••', '••••']);
  expect(trace.response_bytes).toBe(4);
  expect(JSON.stringify(trace)).not.toContain(SECRET);
});

test('failures and retries are always traced, and successes when they are sampled', async () => {
  await using receiver = await openReceiver((_, response) => void response.end('well'));
  const { origin } = new URL(receiver.url);
  const unsampled = openWay({ origin });
  expect((await unsampled()).outcome).toMatchObject({ kind: 'delivered', responseHead: null });
  expect((await unsampled()).outcome).not.toHaveProperty('trace');
  expect(traceOf(await unsampled('{}', 2)).response_bytes).toBe(4);
  const sampled = await openWay({ origin, ...always() })();
  expect(sampled.outcome).toMatchObject({ kind: 'delivered', responseHead: 'well' });
  expect(valueOf(traceOf(sampled).response_headers, 'content-length')).toBe('4');
});

test('the first request opens a connection, and the next one uses it; the steps make up the attempt', async () => {
  await using receiver = await openReceiver((_, response) => {
    setTimeout(() => {
      response.writeHead(200).write('a');
      setTimeout(() => response.end('b'), 150); // the first part may be read late
    }, 60);
  });
  const port = new URL(receiver.url).port;
  const post = openWay({ origin: `http://localhost:${port}`, ...always() });
  for (const isFirst of [true, false]) {
    const ended = await post();
    const { timings } = traceOf(ended);
    const steps = Object.values(timings).filter((ms) => ms !== null);
    const sum = steps.reduce((all, ms) => all + ms, 0);
    expect(Math.abs(sum - ended.ms)).toBeLessThan(2);
    expect([timings.dns !== null, timings.connect !== null]).toEqual([isFirst, isFirst]);
    expect(timings).toMatchObject({ tls: null, prepare: null });
    expect(timings.first_byte).toBeGreaterThan(50);
    expect(timings.body).toBeGreaterThan(30);
  }
});

test('the TLS handshake is a step of its own', async () => {
  const certificate = selfSigned();
  await using raw = await openRaw({
    tls: { key: certificate.key, cert: certificate.cert },
    answer: (socket) => socket.write('HTTP/1.1 204 No Content\r\n\r\n'),
  });
  const origin = `https://127.0.0.1:${raw.port}`;
  const { timings } = traceOf(await openWay({ origin, ca: certificate.cert, ...always() })());
  expect(timings).toMatchObject({ dns: null, tls: expect.any(Number) });
  expect(timings.tls).toBeGreaterThan(0);
});

test('an attempt that times out in the handshake shows that it hung there', async () => {
  await using hung = await openRaw({ answer: () => undefined });
  const ended = await openWay({
    origin: `https://127.0.0.1:${hung.port}`,
    timeoutMs: TIMEOUT_MS,
  })();
  expect(ended.outcome).toMatchObject({ kind: 'failed', status: null });
  const { timings, response_headers } = traceOf(ended);
  expect(timings.tls).toBeGreaterThan(TIMEOUT_MS / 2);
  expect(timings).toMatchObject({ request: null, first_byte: null, body: null });
  expect(response_headers).toEqual([]);
});

test('a request that gets no connection shows that it waited for one', async () => {
  await using hung = await openReceiver(() => undefined);
  const post = openWay({ origin: new URL(hung.url).origin, timeoutMs: TIMEOUT_MS });
  const [first, second] = await Promise.all([post(), post()]);
  expect(traceOf(first).timings.first_byte).toBeGreaterThan(TIMEOUT_MS / 2);
  const { connection, first_byte } = traceOf(second).timings;
  expect(connection).toBeGreaterThan(TIMEOUT_MS / 2);
  expect(first_byte ?? 0).toBeLessThan(TIMEOUT_MS / 2); // it may get the first one's for what is left of its time
});

test('a request that times out on a connection that has answered before shows that it waited for the answer', async () => {
  await using receiver = await openReceiver();
  const { origin } = new URL(receiver.url);
  const post = openWay({ origin, timeoutMs: 4_000, ...always() });
  expect((await post()).outcome.kind).toBe('delivered');
  receiver.respond = () => undefined;
  const ended = await post();
  const { timings } = traceOf(ended);
  expect(timings).toMatchObject({ dns: null, connect: null, body: null });
  expect(timings.first_byte).toBeGreaterThan(1_000);
  expect(timings.first_byte).toBeLessThanOrEqual(ended.ms + 1);
});

test('a hundred of thousands of headers without a value are kept', async () => {
  await using raw = await openRaw({
    answer: (socket) => {
      const lines = Array.from({ length: 2_000 }, (_, at) => `a${at}:\r\n`);
      socket.write(`HTTP/1.1 500 No\r\n${lines.join('')}content-length: 0\r\n\r\n`);
    },
  });
  const trace = traceOf(await openWay({ origin: `http://127.0.0.1:${raw.port}` })());
  expect(trace.response_headers).toHaveLength(100);
});

test('values of the query, and secrets in the address and in the names of headers, are masked as well', async () => {
  await using raw = await openRaw({
    answer: (socket) =>
      socket.write(`HTTP/1.1 500 No\r\nx-${SECRET}: 1\r\ncontent-length: 0\r\n\r\n`),
  });
  const origin = `http://127.0.0.1:${raw.port}`;
  const trace = traceOf(await openWay({ origin, path: `/${SECRET}/in?code=a%20b&flag` })());
  expect(trace.url).toBe(`${origin}/••••/in?code=••••&••••`);
  expect(JSON.stringify(trace)).not.toContain(SECRET);
});

test('at most 8 KB of an endless list of headers are kept', async () => {
  await using raw = await openRaw({
    answer: (socket) => {
      const lines = Array.from({ length: 90 }, (_, at) => `x-${at}: ${'y'.repeat(200)}\r\n`);
      socket.write(`HTTP/1.1 500 No\r\n${lines.join('')}content-length: 0\r\n\r\n`);
    },
  });
  const trace = traceOf(await openWay({ origin: `http://127.0.0.1:${raw.port}` })());
  const kept = trace.response_headers.reduce(
    (all, one) => all + one.name.length + one.value.length,
    0,
  );
  expect(kept).toBeGreaterThan(8_000);
  expect(kept).toBeLessThanOrEqual(8_192);
});
