import { readdir, readFile, writeFile } from 'node:fs/promises';
import { join } from 'node:path';

import { historyToJSON } from '@temporalio/common/lib/proto-utils.js';
import { Worker } from '@temporalio/worker';
import { expect, inject, test } from 'vitest';

import { visitsIdOf } from '../../src/temporal/startVisits.ts';
import { visitsDetails } from '../../src/workflows/visitsDetails.ts';
import { until } from '../support/poll.ts';
import { openWorld, type World } from '../support/world.ts';

const ROOT = join(import.meta.dirname, '../..');
const STORED = join(import.meta.dirname, '../histories');

/** The workflow that keeps the lanes of the world's region. */
function visitsOf(world: World) {
  return world.client.workflow.getHandle(visitsIdOf(`${world.taskQueue}-deliver`));
}

/** How many lanes run. */
async function lanesOf(world: World): Promise<number> {
  const { raw } = await visitsOf(world).describe();
  const pending = raw.pendingActivities ?? [];
  return pending.filter((one) => one.lastWorkerIdentity !== '').length;
}

const run = (world: World, lanes: number) =>
  until(async () => (await lanesOf(world)) === lanes, { what: `${lanes} lanes run` });

/** What the page of a workflow in the Temporal UI shows of its state. */
async function pageOf(world: World): Promise<string> {
  const metadata = await visitsOf(world).query<{ currentDetails: string }>(
    '__temporal_workflow_metadata',
  );
  return metadata.currentDetails;
}

test('the page of the visits says how many lanes run, which have ended, and which signal had no effect', async () => {
  await using world = await openWorld({ visitLanes: 2 });
  await run(world, 2);
  await until(async () => {
    const { rows } = await world.db.query('select from visit_lanes');
    return rows.length === 2; // the second is left to other workers for a moment
  });
  const queue = `${world.taskQueue}-deliver`;
  expect(await pageOf(world)).toMatch(`**2 lanes deliver for the quiet consumers of ${queue}**`);
  await visitsOf(world).signal('lanes', '3');
  await until(async () => (await pageOf(world)).includes('The signal lanes had no effect'));
  await visitsOf(world).signal('lanes', 1);
  await until(async () => (await pageOf(world)).startsWith('**1 lane delivers'));
  expect(await pageOf(world)).toContain('- 1 lane is no longer needed, and ends within an hour');
  expect(await pageOf(world)).not.toContain('had no effect');
  await visitsOf(world).signal('lanes', 0);
  await until(async () => (await pageOf(world)).startsWith('**No lanes: each consumer'));
  await world.stopWorker(); // its lanes end
  await world.startWorker();
  await until(async () => (await pageOf(world)).includes(': 2 lanes, with 0 visits, 0 of them'));
});

test('the page of the visits names the last failure of a lane', () => {
  const known = {
    deliveryQueue: 'q',
    lanes: 1,
    running: 1,
    since: new Date(0),
    ended: { lanes: 1, visits: 1, handedOver: 1 },
    note: null,
  };
  const failure = 'Lane 0 failed at 1970-01-01T00:00:01.000Z and was started again: no memory';
  expect(visitsDetails({ ...known, failure }).split('\n')).toEqual(
    expect.arrayContaining([
      `- ${failure}`,
      expect.stringMatching(/^- Ended since 1970-01-01T00:00:00.000Z: 1 lane, with 1 visit, 1 of/u),
    ]),
  );
  expect(visitsDetails({ ...known, failure: null })).not.toContain('failed');
});

test('the page of the visits says when consumers that no lane claims get a drain, as the alert rule does', async () => {
  const page = visitsDetails({
    deliveryQueue: 'q',
    lanes: 1,
    running: 1,
    since: new Date(0),
    ended: { lanes: 0, visits: 0, handedOver: 0 },
    failure: null,
    note: null,
  });
  const rules = await readFile(join(ROOT, 'docs/operating/alerts.yml'), 'utf8');
  for (const text of [page, rules]) {
    expect(text).toContain('after 20 s where there have been no lanes for 3 minutes');
    expect(text).toContain('otherwise after 3 minutes, or after half an hour');
  }
});

test('the history of lanes that come, go and are moved replays', async () => {
  await using world = await openWorld({ visitLanes: 2 });
  await run(world, 2);
  await visitsOf(world).signal('lanes', 3);
  await run(world, 3);
  await visitsOf(world).signal('lanes', 1);
  await world.stopWorker(); // its lanes end; those above the first are not wanted any more
  await world.startWorker();
  // As its settings say. A lane whose end did not reach Temporal in time goes on beside them, for an hour at most.
  await until(async () => (await lanesOf(world)) >= 2, { what: 'at least 2 lanes run' });
  await visitsOf(world).signal('lanes', 0);
  const history = await visitsOf(world).fetchHistory();
  const workflowBundle = { codePath: inject('workflowBundle') };
  const replayed = Worker.runReplayHistory({ workflowBundle }, history, 'just lived');
  await expect(replayed).resolves.toBeUndefined();
  await record(history);
}, 120_000);

/** With `RECORD_HISTORIES=1`: beside those of earlier versions, which stay and are replayed with all others. */
async function record(history: Parameters<typeof historyToJSON>[0]): Promise<void> {
  if (process.env['RECORD_HISTORIES'] !== '1') return;
  const taken = (await readdir(STORED)).filter((name) => name.startsWith('visits-')).length;
  const json = historyToJSON(history).replaceAll(`${ROOT}/`, '');
  await writeFile(join(STORED, `visits-${taken + 1}.json`), `${json}\n`, { flag: 'wx' });
}
