import { writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';

import { expect, test } from 'vitest';

import { bodyOf, bodyText } from '../../src/cli/bodyFlag.ts';
import { KEY } from '../support/app.ts';
import { runCli } from '../support/cli.ts';
import { openConsumersApi } from '../support/consumers.ts';
import { serve } from '../support/serve.ts';
import { openWorld } from '../support/world.ts';

test.each([
  ['full', { mode: 'full' }],
  ['thin', { mode: 'thin' }],
  ['cloudevents', { mode: 'cloudevents' }],
  ['fields:/data/a,/data/b', { mode: 'fields', pointers: ['/data/a', '/data/b'] }],
  ['map:{"a": event.data.a}', { mode: 'map', expression: '{"a": event.data.a}' }],
])('--body takes %s, and it is shown as it is given', async (text, body) => {
  expect(await bodyOf(text)).toEqual(body);
  expect(bodyText(body as Parameters<typeof bodyText>[0])).toBe(text);
});

test.each(['slim', 'fields', 'thin:', ''])('--body does not take %j', async (text) => {
  await expect(bodyOf(text)).rejects.toThrow(
    `--body takes full, thin, cloudevents, fields:/data/a,/data/b or map:EXPRESSION; not ${JSON.stringify(text)}`,
  );
});

test('an expression is read from a file, and consumers get, update and preview use it', async () => {
  await using opened = await openConsumersApi();
  await using site = await serve(opened.api);
  const variables = { MILLRACE_URL: site.url, MILLRACE_API_KEY: KEY };
  const file = join(tmpdir(), `millrace-body-${process.pid}.cel`);
  await writeFile(file, '{"id": event.upstream_id}\n');
  const flags = ['--name', 'mapped', '--target', 'one', '--stream', 'events'];
  const created = await runCli(
    ['consumers', 'create', ...flags, '--body', `map:@${file}`],
    variables,
  );
  expect(created).toMatchObject({ code: 0 });
  const shown = await runCli(['consumers', 'get', 'mapped'], variables);
  expect(shown.stdout).toMatch(/^Body +map:\{"id": event\.upstream_id\}$/mu);
  await opened.append('s1');
  const preview = await runCli(
    ['consumers', 'preview', '--stream', 'events', '--body', `map:@${file}`],
    variables,
  );
  expect(preview.stdout).toMatch(/^Content type +application\/json$/mu);
  expect(preview.stdout).toMatch(/^Sent +\{"id":".+"\}$/mu);
  const inBatch = await runCli(
    [
      'consumers',
      'preview',
      '--stream',
      'events',
      '--body',
      `map:@${file}`,
      '--batch',
      'entries=9',
    ],
    variables,
  );
  expect(inBatch.stdout).toMatch(/^Sent +\{"events":\[\{"id":".+"\}\]\}$/mu);
  const wrong = await runCli(['consumers', 'update', 'mapped', '--body', 'map:event.'], variables);
  expect(wrong.code).toBe(1);
  expect(wrong.stderr).toContain('--body, line 1, column 7: ');
});

test('consumers create and update note that a mapped body is sent within a batch, when they have set either', async () => {
  await using world = await openWorld();
  const target = await world.target('http://127.0.0.1:9');
  await using site = await serve(world.api);
  const note =
    'Requests carry {"events":[…]} with the result of the map for each entry. ' +
    'An endpoint that takes one message per request, such as Slack, does not take that: --batch none.\n';
  const consumers = async (...args: string[]): Promise<string> => {
    const variables = { MILLRACE_URL: site.url, MILLRACE_API_KEY: KEY };
    const { code, stderr } = await runCli(['consumers', ...args], variables);
    expect(code).toBe(0);
    return stderr;
  };
  const map = ['--body', 'map:{"text": event.upstream_id}'];
  const flags = ['--name', 'mapped', '--target', target, '--stream', 'events'];
  expect(await consumers('create', ...flags, ...map, '--batch', 'entries=9')).toContain(note);
  expect(await consumers('update', 'mapped', '--path', '/in')).not.toContain('Slack');
  expect(await consumers('update', 'mapped', '--body', 'thin')).not.toContain('Slack');
  expect(await consumers('update', 'mapped', ...map)).toContain(note);
  expect(await consumers('update', 'mapped', '--batch', 'none')).not.toContain('Slack');
  expect(await consumers('update', 'mapped', '--batch', 'entries=9')).toContain(note);
});
