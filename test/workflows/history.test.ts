import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { historyFromJSON, historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';

import { until } from '../support/poll.ts';
import { accept, answer, openReceiver } from '../support/receiver.ts';
import { openWorld, someEvents, type World } from '../support/world.ts';

const ROOT = join(import.meta.dirname, '../..');
const STORED = join(import.meta.dirname, '../histories');
const PLANTED = 'planted-secret-4711';

/** A life with an edit, a block, a stop, a resume, a seek and continue-as-new. */
async function live(world: World): Promise<{ consumer: string; runs: string[] }> {
  await using receiver = await openReceiver();
  const target = await world.target(receiver.url, {
    credentials: { type: 'bearer', token: PLANTED },
  });
  const consumer = await world.consumer(target, { syncs: ['sync-1'] });
  const ask = (path: string, body?: unknown) =>
    world.api.request('POST', `/v1/consumers/${consumer}/${path}`, body);
  const runs: string[] = [];
  const noteRun = async (): Promise<void> => {
    const { runId } = await world.handle(consumer).describe();
    if (runs.at(-1) !== runId) runs.push(runId);
  };
  await noteRun();
  await world.append.events(someEvents(5, { data: JSON.stringify({ body: PLANTED }) }));
  await until(() => receiver.received.length === 5);
  await ask('filter', { add: { syncs: ['sync-2'] } });
  await world.handle(consumer).signal('removeSyncs', ['sync-2']);
  await world.handle(consumer).signal('addSyncs', 'garbage');
  receiver.respond = answer(500);
  await world.append.events(someEvents(3));
  await world.becomes(consumer, 'stopped');
  receiver.respond = accept;
  await ask('resume');
  await world.caughtUp(consumer);
  await ask('seek', { to: 'beginning' });
  await world.caughtUp(consumer);
  for (let round = 0; runs.length < 2 && round < 60; round += 1) {
    await ask('pause');
    await ask('resume');
    await noteRun();
  }
  await world.append.events(someEvents(2));
  await world.caughtUp(consumer);
  await ask('pause');
  return { consumer, runs };
}

/** A history as text, its payloads decoded. */
function readable(history: object): string {
  return JSON.stringify(history).replaceAll(/"data":"([^"]*)"/gu, (_all, data: string) =>
    Buffer.from(data, 'base64').toString('utf8'),
  );
}

test('histories of a whole life replay, hold no secret and no data, and continue as new loses nothing', async () => {
  await using world = await openWorld({ retryWindowMs: 3_000 });
  const { consumer, runs } = await live(world);
  expect(runs.length).toBeGreaterThanOrEqual(2);
  expect(await world.get(consumer)).toMatchObject({
    status: 'paused',
    position: 10,
    syncs: ['sync-1'],
  });

  const bundle = { codePath: inject('workflowBundle') };
  for (const [index, runId] of runs.entries()) {
    const history = await world.client.workflow
      .getHandle(`consumer/${consumer}`, runId)
      .fetchHistory();
    const text = readable(history);
    expect(text).toContain('sync-1'); // the payloads are readable here
    expect(text).not.toContain(PLANTED);
    expect(text).not.toContain('whsec_');
    await Worker.runReplayHistory({ workflowBundle: bundle }, history, `consumer/${consumer}`);
    if (process.env['RECORD_HISTORIES'] === '1') {
      // Stacks of failures name files of this machine; a replay does not look at them.
      const json = historyToJSON(history).replaceAll(`${ROOT}/`, '');
      await writeFile(join(STORED, `life-${index + 1}.json`), `${json}\n`);
    }
  }
}, 180_000);

test('stored histories of earlier versions replay', async () => {
  const files = (await readdir(STORED)).filter((name) => name.endsWith('.json'));
  expect(files.length).toBeGreaterThanOrEqual(2);
  const bundle = { codePath: inject('workflowBundle') };
  for (const file of files) {
    const history = historyFromJSON(JSON.parse(await readFile(join(STORED, file), 'utf8')));
    await Worker.runReplayHistory({ workflowBundle: bundle }, history, file);
  }
});
