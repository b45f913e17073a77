import { expect, test } from 'vitest';

import { newId } from '../../src/db/ids.ts';
import { KEY } from '../support/app.ts';
import { openBlockedConsumer, type BlockedConsumer } from '../support/blocked.ts';
import { runCli, startCli, type CliResult } from '../support/cli.ts';
import { until } from '../support/poll.ts';
import { createProxy } from '../support/proxy.ts';
import { accept, answer, type Respond } from '../support/receiver.ts';
import { serve } from '../support/serve.ts';
import { startOnTerminal } from '../support/terminal.ts';

const EVENT = { sync_id: 's', collection_id: 'shop:order', upstream_id: 'o1', event: 'created' };

interface Scene extends AsyncDisposable {
  blocked: BlockedConsumer;
  env: Record<string, string>;
  cli(...args: string[]): Promise<CliResult>;
}

/** A consumer whose endpoint answers like this, with one entry that waits for it, and the API on a port. */
async function open(
  respond: Respond,
  options: { consumer?: object; entries?: object } = {},
): Promise<Scene> {
  const { consumer = {}, entries = { events: [{ ...EVENT, data: { total: 3 } }] } } = options;
  const blocked = await openBlockedConsumer(respond, { events: 0, consumer });
  const [stream = ''] = Object.keys(entries);
  const appended = await blocked.api.api.request('POST', `/v1/${stream}`, entries);
  expect(appended.status).toBe(200);
  const served = await serve(blocked.api.api);
  const env = { MILLRACE_URL: served.url, MILLRACE_API_KEY: KEY };
  return {
    blocked,
    env,
    cli: (...args) => runCli(args, env),
    [Symbol.asyncDispose]: async () => {
      await served[Symbol.asyncDispose]();
      await blocked[Symbol.asyncDispose]();
    },
  };
}

test('--trace shows where the time of a failure went, what was sent, byte for byte, and what came back', async () => {
  await using scene = await open(answer(503, { 'x-why': 'busy' }));
  const { blocked, cli } = scene;
  await blocked.attempt();
  const { code, stdout, stderr } = await cli('attempts', 'orders', '--trace');
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(stdout).toMatch(/^\d{4}-\S+Z {2}failed, HTTP_5XX, HTTP 503, \d+ ms\n/u);
  expect(stdout).toMatch(
    /^attempt 1 at position 1(?:, the next one at \S+Z)?: created shop:order o1 \[\S+\]$/mu,
  );
  expect(stdout).toMatch(/^ {2}connect {18} *\d+\.\d ms$/mu);
  expect(stdout).toMatch(/^ {2}first byte {15} *\d+\.\d ms$/mu);
  const [received] = blocked.receiver.received;
  const { url } = blocked.receiver;
  expect(stdout).toContain(`\n> POST ${url}\n> content-type: application/json\n`);
  expect(stdout).toContain(`\n> webhook-id: ${received?.id}\n`);
  const signature = String(received?.headers['webhook-signature']);
  expect(stdout).toContain(`\n> webhook-signature: ${signature}\n`);
  expect(stdout).toContain(`\n>\n> ${received?.body}\n< HTTP 503\n< x-why: busy\n`);
  expect(stdout).toMatch(/\n<\n< no\n\n$/u);
  expect(stdout).not.toMatch(/[█▏]/u);
  expect(stdout).not.toContain('\u001B');
});

test('--trace names the trace of the producer, which an attempt of a blocked consumer belongs to as well', async () => {
  const [trace, span] = ['4bf92f3577b34da6a3ce929d0e0e4736', '00f067aa0ba902b7'];
  const event = { ...EVENT, data: {}, traceparent: `00-${trace}-${span}-01` };
  await using scene = await open(answer(503), { entries: { events: [event] } });
  const { blocked, cli } = scene;
  await blocked.attempt();
  const { code, stdout } = await cli('attempts', 'orders', '--trace');
  expect(code).toBe(0);
  expect(stdout).toContain(`\nin trace ${trace}, appended by span ${span}\n`);
  const sent = String(blocked.receiver.received[0]?.headers['traceparent']);
  expect(sent).toMatch(new RegExp(`^00-${trace}-(?!${span})[0-9a-f]{16}-01$`, 'u'));
  expect(stdout).toContain(`\n> traceparent: ${sent}\n`);
});

test('--json prints the traces as the API returns them', async () => {
  await using scene = await open(answer(503));
  const { blocked, cli } = scene;
  await blocked.attempt();
  const { stdout } = await cli('attempts', 'orders', '--trace', '--json');
  const path = `/v1/consumers/${blocked.consumerId}/attempts?include=trace`;
  const { body } = await blocked.api.api.request('GET', path);
  expect(body.data[0].trace.timings).toBeTypeOf('object');
  expect(JSON.parse(stdout)).toEqual(body);
  const plain = await cli('attempts', 'orders', '--json');
  expect(JSON.parse(plain.stdout).data[0]).not.toHaveProperty('trace');
});

test('credentials are masked, and an answer cannot control the terminal or look like other output', async () => {
  const evil: Respond = (_received, response) =>
    void response
      .writeHead(500)
      .end('\u001B[2Jtoken-0123456789\r\n> POST https://good.example.com');
  await using scene = await open(evil);
  const { blocked, cli } = scene;
  const credentials = { type: 'bearer', token: 'token-0123456789' };
  const path = `/v1/targets/${blocked.api.targetId}`;
  const { status } = await blocked.api.api.request('PATCH', path, { credentials });
  expect(status).toBe(200);
  await blocked.attempt();
  expect(blocked.receiver.received[0]?.headers.authorization).toBe('Bearer token-0123456789');
  const { stdout } = await cli('attempts', 'orders', '--trace');
  expect(stdout).toContain('\n> authorization: ••••\n');
  expect(stdout).not.toContain('token-0123456789');
  expect(stdout).toMatch(/\n< \\u001b\[2J••••\n< > POST https:\/\/good\.example\.com\n/u);
});

test('an attempt without an answer says so, and one whose entry is gone shows only the size of the body', async () => {
  await using scene = await open(accept);
  const { blocked, cli } = scene;
  await blocked.receiver[Symbol.asyncDispose]();
  await blocked.attempt();
  const refused = await cli('attempts', 'orders', '--trace');
  expect(refused.stdout).toMatch(/^\S+ {2}failed, CONNECTION_REFUSED, \d+ ms$/mu);
  expect(refused.stdout).toMatch(/\nNothing of this was sent:\n> POST \S+\n/u);
  expect(refused.stdout).toMatch(/\n> \{"event":\{.*\}\}\nNo answer came\.\n\n$/u);
  expect(refused.stdout).not.toMatch(/^ {2}(?:request|first byte) /mu);

  await blocked.api.api.db.query('delete from events');
  const gone = await cli('attempts', 'orders', '--trace');
  expect(gone.code).toBe(0);
  expect(gone.stdout).toMatch(/\nThe body of \d+ bytes is no longer in the stream\.\n/u);
});

test('the body shown for a record is that of the version that was sent, as long as it is the newest one', async () => {
  const record = { sync_id: 's', collection_id: 'shop:order', upstream_id: 'o1', data: { n: 1 } };
  const consumer = { stream: 'records' };
  await using scene = await open(answer(503), { consumer, entries: { records: [record] } });
  const { blocked, cli } = scene;
  await blocked.attempt();
  const [received] = blocked.receiver.received;
  const sent = await cli('attempts', 'orders', '--trace');
  expect(sent.stdout).toContain(`\n> ${received?.body}\n< HTTP 503\n`);
  const changed = { records: [{ ...record, data: { n: 2 } }] };
  expect((await blocked.api.api.request('POST', '/v1/records', changed)).status).toBe(200);
  const after = await cli('attempts', 'orders', '--trace');
  expect(after.stdout).toContain('is no longer in the stream.\n< HTTP 503\n');
  expect(after.stdout).not.toContain('"n":2');
});

test('an attempt without a trace says why', async () => {
  await using scene = await open(accept);
  const { blocked, cli } = scene;
  for (const [outcome, status] of [
    ['delivered', 200],
    ['failed', 503],
  ] as const) {
    await blocked.api.api.db.query({
      text: `
        insert into attempts (id, consumer_id, position, message_id, attempt, started_at, duration_ms, outcome, status)
        values ($1, $2, 1, 'm', 1, now(), 7, $3, $4)`,
      values: [newId(), blocked.consumerId, outcome, status],
    });
  }
  const delivered = await cli('attempts', 'orders', '--trace', '--status', '200');
  expect(delivered.stdout).toMatch(/^It has no trace: .* only a sample has one, .*\.$/mu);
  const failed = await cli('attempts', 'orders', '--trace', '--failed');
  expect(failed.stdout).toMatch(/^It has no trace: it was made before Millrace kept any\.$/mu);
  const limited = await cli('attempts', 'orders', '--trace', '--limit', '1');
  expect(limited.stderr).toMatch(/^There are more: --cursor \S+\n$/u);
  expect(limited.stdout.split('It has no trace')).toHaveLength(2);
});

test('on a terminal the steps have bars that fit its width, in colours unless NO_COLOR is set', async () => {
  await using scene = await open(answer(503));
  await scene.blocked.attempt();
  const shown = async (columns: number, env: Record<string, string> = {}): Promise<string> => {
    const args = ['attempts', 'orders', '--trace'];
    const { code, output } = await startOnTerminal(args, { ...scene.env, ...env }, { columns })
      .ended;
    expect(code).toBe(0);
    return output;
  };
  const coloured = (await shown(60)).replaceAll('\u001B', 'ESC');
  expect(coloured).toMatch(/ {2}first byte .* ms {2} *ESC\[33m[█▏]+ESC\[39m$/mu);
  const plain = await shown(60, { NO_COLOR: '1' });
  const steps = plain.split('\n').filter((line) => / \d+\.\d ms/u.test(line));
  expect(steps.length).toBeGreaterThan(2);
  for (const line of steps) expect(line).toMatch(/^ {2}.* ms {2} *[█▏]+$/u);
  expect(Math.max(...steps.map((line) => line.length))).toBeLessThanOrEqual(60);
  expect(plain).not.toContain('\u001B');
  expect(await shown(40)).not.toMatch(/[█▏]/u);
});

test('--follow --trace prints each attempt as it ends, and waits for an API that is away', async () => {
  await using scene = await open(answer(503));
  const { blocked, env } = scene;
  await using proxy = await createProxy(env['MILLRACE_URL']!);
  const url = proxy.url.replace(/\/$/u, '');
  const args = ['attempts', 'orders', '--follow', '--trace', '--since', '1m'];
  const following = startCli(args, { ...env, MILLRACE_URL: url });
  await blocked.attempt();
  const shown = (): number => following.stdout().split('< HTTP 503').length - 1;
  await until(() => shown() === 1, { timeoutMs: 60_000 });
  proxy.setAway(true);
  await until(() => following.stderr().includes('Connection lost'), { timeoutMs: 60_000 });
  await blocked.attempt();
  proxy.setAway(false);
  await until(() => shown() === 2, { timeoutMs: 60_000 });
  following.child.kill('SIGINT');
  expect((await following.ended).code).toBe(130);
});

test('the shell completes --trace', async () => {
  const { stdout } = await runCli(['complete', '--', 'attempts', 'orders', '--tr']);
  expect(stdout).toMatch(/^--trace\t\S.*\n$/u);
});

test('an entry that went alone where its consumer sends batches is shown as it was sent', async () => {
  const batch = { max_entries: 10, max_bytes: 4_096, max_wait_ms: 0 };
  await using scene = await open(answer(503), { consumer: { batch } });
  const { blocked, cli } = scene;
  await blocked.attempt();
  const [received] = blocked.receiver.received;
  expect(received?.body).toMatch(/^\{"events":\[\{.*\}\]\}$/u);
  const { stdout } = await cli('attempts', 'orders', '--trace');
  expect(stdout).toContain(`\n> ${received?.body}\n< HTTP 503\n`);
});
