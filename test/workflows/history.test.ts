import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';

import { failingLife, PLANTED, wholeLife, type Lived } from '../support/lives.ts';
import { openWorld, type World } from '../support/world.ts';

const ROOT = join(import.meta.dirname, '../..');
const STORED = join(import.meta.dirname, '../histories');

/** What no stored history may lack: activities, how those that send ended, what people asked, and events. */
const HAPPENED = [
  'load look apply hold block unblock warn stop hasHead drain deliver',
  'idle blocked changed yielded gone delivered parked activityTaskFailed activityTaskCanceled',
  'pause resume retry seek filter replay resend delete',
  'timerStarted timerFired timerCanceled activityTaskCancelRequested markerRecorded',
  'workflowExecutionContinuedAsNew workflowExecutionCompleted',
].flatMap((line) => line.split(' '));

type Handle = ReturnType<World['handle']>;
type History = Awaited<ReturnType<Handle['fetchHistory']>>;

test.concurrent('histories of a whole life replay and hold no secret and no data, and continuing as new loses nothing', async () => {
  await using world = await openWorld({ retryWindowMs: 3_000 });
  const lived = await wholeLife(world);
  expect(await world.get(lived.consumer)).toMatchObject({
    status: 'paused',
    position: 10,
    syncs: ['sync-1'],
  });
  const histories = await historiesOf(world, lived);
  expect(histories.length).toBeGreaterThanOrEqual(2);
  await replay(histories);
  await record('life', histories);
}, 300_000);

test.concurrent('histories of a life that fails in every way replay', async () => {
  await using world = await openWorld({ retryWindowMs: 20_000, idleAfterMs: 100 });
  const histories = await historiesOf(world, await failingLife(world));
  const end = histories.at(-1)?.events?.at(-1);
  expect(end?.workflowExecutionCompletedEventAttributes).toBeTruthy();
  await replay(histories);
  await record('failing', histories);
}, 300_000);

test.concurrent('stored histories of earlier versions replay', async () => {
  const files = await storedFiles();
  expect(files.length).toBeGreaterThanOrEqual(2);
  await replayAll(
    await Promise.all(files.map(async (name) => ({ name, history: await load(name) }))),
  );
});

test('stored histories hold every command and ending that an endpoint or a person can bring about', async () => {
  const happened = new Set<string>();
  let text = '';
  for (const file of await storedFiles()) {
    text += readable(JSON.parse(await readFile(join(STORED, file), 'utf8')));
    const { events } = await load(file);
    for (const event of events ?? []) {
      for (const [attribute, value] of Object.entries(event))
        if (value !== null) happened.add(attribute.replace('EventAttributes', ''));
      const activity = event.activityTaskScheduledEventAttributes?.activityType?.name;
      if (activity != null) happened.add(activity);
    }
  }
  for (const [, ending = ''] of text.matchAll(/"(?:reason|outcome)":"(\w+)"/gu))
    happened.add(ending);
  for (const [, kind = ''] of text.matchAll(/"command":\{"kind":"(\w+)"/gu)) happened.add(kind);
  expect([...happened]).toEqual(expect.arrayContaining(HAPPENED));
});

/** Each run of the workflow, in order. */
async function historiesOf(world: World, { consumer, firstRun }: Lived): Promise<History[]> {
  const histories: History[] = [];
  for (let runId: string | null | undefined = firstRun; runId != null && runId !== '';) {
    const handle: Handle = world.client.workflow.getHandle(`consumer/${consumer}`, runId);
    const history: History = await handle.fetchHistory();
    histories.push(history);
    const end = history.events?.at(-1);
    runId = end?.workflowExecutionContinuedAsNewEventAttributes?.newExecutionRunId;
  }
  return histories;
}

async function replay(histories: History[]): Promise<void> {
  for (const history of histories) {
    const text = readable(history);
    expect(text).toContain('sync-1'); // the payloads are readable here
    expect(text).not.toContain(PLANTED);
    expect(text).not.toContain('whsec_');
  }
  await replayAll(histories.map((history, run) => ({ name: `just lived, run ${run}`, history })));
}

/** By one worker, as the start of one takes longer than a replay. */
async function replayAll(named: { name: string; history: History }[]): Promise<void> {
  const workflowBundle = { codePath: inject('workflowBundle') };
  const histories = named.map(({ name: workflowId, history }) => ({ workflowId, history }));
  let replayed = 0;
  for await (const { workflowId, error } of Worker.runReplayHistories(
    { workflowBundle },
    histories,
  )) {
    if (error !== undefined) throw new Error(`${workflowId} does not replay`, { cause: error });
    replayed += 1;
  }
  expect(replayed).toBe(named.length);
}

/** A history as text, its payloads decoded. */
function readable(history: object): string {
  return JSON.stringify(history).replaceAll(/"data":"([^"]*)"/gu, (_all, data: string) =>
    Buffer.from(data, 'base64').toString('utf8'),
  );
}

/** With `RECORD_HISTORIES=1`: beside those of earlier versions, which stay. */
async function record(life: string, histories: History[]): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  const taken = (await storedFiles()).filter((name) => name.startsWith(`${life}-`)).length;
  for (const [index, history] of histories.entries()) {
    // Stacks of failures name files of this machine; a replay does not look at them.
    const json = historyToJSON(history).replaceAll(`${ROOT}/`, '');
    const file = join(STORED, `${life}-${taken + index + 1}.json`);
    await writeFile(file, `${json}\n`, { flag: 'wx' });
  }
}

async function storedFiles(): Promise<string[]> {
  return (await readdir(STORED)).filter((name) => name.endsWith('.json')).sort();
}

async function load(file: string): Promise<History> {
  return historyFromJSON(JSON.parse(await readFile(join(STORED, file), 'utf8')));
}
