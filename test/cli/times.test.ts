import { createServer } from 'node:http';
import { text } from 'node:stream/consumers';

import { expect, test } from 'vitest';

import { KEY } from '../support/app.ts';
import { runCli, startCli } from '../support/cli.ts';
import { listening } from '../support/listening.ts';
import { until } from '../support/poll.ts';

const ID = '01a22282-4d54-78ef-84d2-96c4627635a5';
/** What the API's clock says; that of this machine says something else. */
const NOW = 'Sat, 01 Jan 2022 00:00:00 GMT';

interface Clocked extends AsyncDisposable {
  env: Record<string, string>;
  /** `POST /v1/x?y {…}`, in the order in which they came. */
  requests: string[];
}

/** An API whose clock is years behind. */
async function openClocked(): Promise<Clocked> {
  const requests: string[] = [];
  const server = createServer((request, response) => {
    void text(request).then((body) => {
      requests.push(`${request.method} ${request.url} ${body}`.trimEnd());
      response.setHeader('date', NOW).setHeader('content-type', 'application/json');
      response.setHeader('x-request-id', '1').end('{"data":[],"next_cursor":null}');
    });
  });
  const { url, [Symbol.asyncDispose]: close } = await listening(server);
  const env = { MILLRACE_URL: url, MILLRACE_API_KEY: KEY };
  return { env, requests, [Symbol.asyncDispose]: close };
}

test.each<[string[], RegExp]>([
  [
    ['consumers', 'seek', ID, '2h'],
    /^POST \/v1\/consumers\/.*\/seek \{"to":\{"time":"2021-12-31T22:00:00\.000Z"\}\}$/u,
  ],
  [
    `consumers create --name x --target ${ID} --stream events --start 1d`.split(' '),
    /^POST \/v1\/consumers .*"start":\{"time":"2021-12-31T00:00:00\.000Z"\}/u,
  ],
  [['attempts', ID, '--since', '15m'], /^GET \/v1\/consumers\/.*\/attempts\?since=15m$/u],
  [['attempts', ID, '--until', '90s'], /^GET \/v1\/consumers\/.*\/attempts\?until=90s$/u],
  [
    ['attempts', ID, '--since', '2026-11-23T10:00:00+01:00'],
    /\?since=2026-11-23T10%3A00%3A00%2B01%3A00$/u,
  ],
])('in %j a time before now is one on the clock of the API', async (args, request) => {
  await using api = await openClocked();
  const { code, stderr } = await runCli([...args, '--json'], api.env);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(api.requests.at(-1)).toMatch(request);
});

test("attempts --follow begins at the time of the API's clock, and asks from there until an attempt ends", async () => {
  await using api = await openClocked();
  const following = startCli(['attempts', ID, '--follow'], api.env);
  const asked = (): string[] => api.requests.filter((one) => one.includes('/attempts?'));
  await until(() => asked().length > 2, { timeoutMs: 60_000 });
  following.child.kill('SIGINT');
  expect((await following.ended).code).toBe(130);
  expect(new Set(asked().map((one) => /since=([^&]*)/u.exec(one)?.[1]))).toEqual(
    new Set([encodeURIComponent('2022-01-01T00:00:00.000Z')]),
  );
});
