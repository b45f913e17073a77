import { setTimeout as wait } from 'node:timers/promises';

import type { Client } from '@temporalio/client';

import type { Stack } from '../embedded/stack.ts';
import type { StreamName } from '../schema/stream.ts';
import type { DemoApi } from './demoApi.ts';
import type { Endpoint } from './demoEndpoint.ts';
import { AIRPORTS, STOCKS, type Step } from './demoPlan.ts';
import { count, type Screen, type WhenDone } from './demoScreen.ts';

/** What the demo works with. */
export interface Show {
  stack: Stack;
  endpoint: Endpoint;
  screen: Screen;
  once: boolean;
  signal: AbortSignal;
  whenDone: WhenDone;
}

/** What the demo works with while it performs the steps. */
export interface Play extends Show {
  api: DemoApi;
  temporal: Client;
  steps: Step[];
}

/** The ids of the two consumers. */
export type Consumers = Record<StreamName, string>;

const LIVE_EVERY_MS = 100;
const STALL_MS = 45_000;

/**
 * Performs the steps through the API and Temporal. Each one begins when everything from the one before
 * has arrived. Rejects with `Stalled` when it does not arrive.
 */
export async function playSteps(play: Play): Promise<Consumers> {
  const { api, endpoint, screen, steps, stack } = play;
  const [backlog, ...rest] = steps as [Step, ...Step[]];
  screen.head(`1. ${backlog.title}`);
  await appendAll(play, backlog);
  const began = performance.now();
  const consumers = await createConsumers(play);
  screen.say('   One target and two consumers are created. In the Temporal UI:');
  for (const [stream, id] of Object.entries(consumers)) {
    screen.say(`   ${stream.padEnd(8)} ${pageOf(stack, id)}`);
  }
  screen.settle(await endpoint.complete(0, STALL_MS), secondsSince(began));

  for (const [index, step] of rest.entries()) {
    const stepBegan = performance.now();
    screen.head(`${index + 2}. ${step.title}`);
    if (step.detail !== undefined) screen.say(`   ${step.detail}`);
    if (step.filter !== undefined) await changeFilter(play, consumers.events, step.filter);
    endpoint.step(index + 1);
    await appendAll(play, step);
    screen.settle(await endpoint.complete(index + 1, STALL_MS), secondsSince(stepBegan));
  }
  // Once nothing is on its way, any duplicate or filtered entry has been seen.
  for (const id of Object.values(consumers)) await api.caughtUp(id);
  endpoint.step(steps.length);
  return consumers;
}

/** Appends a step in one request or, if it is live, in one request every tenth of a second. */
async function appendAll({ api, signal, screen }: Play, step: Step): Promise<void> {
  if (!step.live) {
    const began = performance.now();
    const rows = step.appends.flat();
    await api.appendLines(rows);
    screen.say(`   ${count(rows.length)} records appended in one request, ${since(began)} s`);
    return;
  }
  const began = performance.now();
  for (const [index, changes] of step.appends.entries()) {
    const due = began + index * LIVE_EVERY_MS;
    await wait(Math.max(1, due - performance.now()), undefined, { signal });
    await api.append(changes);
  }
}

async function createConsumers({ api, endpoint }: Play): Promise<Consumers> {
  const target = await api.createTarget({ name: 'Demo receiver', base_url: endpoint.url });
  await endpoint.trust(target.signing_secret);
  const common = {
    target_id: target.id,
    start: 'beginning' as const,
    collections: [AIRPORTS, STOCKS],
  };
  return {
    events: await api.createConsumer({
      ...common,
      name: 'Every change, in order',
      stream: 'events',
      path: '/events',
    }),
    records: await api.createConsumer({
      ...common,
      name: 'The latest version of each record',
      stream: 'records',
      path: '/records',
    }),
  };
}

/** Changes the filter of a running consumer by a signal, as the Temporal UI or CLI can. */
async function changeFilter(
  { api, temporal, screen, stack }: Play,
  id: string,
  filter: NonNullable<Step['filter']>,
): Promise<void> {
  const { signal, collection } = filter;
  const argument = JSON.stringify([collection]);
  screen.say(
    `   temporal workflow signal --address ${stack.temporal.address} --workflow-id consumer/${id} --name ${signal} --input '${argument}'`,
  );
  const began = performance.now();
  await temporal.workflow.getHandle(`consumer/${id}`).signal(signal, [collection]);
  const version = await api.filterHas(id, collection, signal === 'addCollections');
  screen.say(
    `   In force after ${Math.round(performance.now() - began)} ms, without a restart: filter version ${version}`,
  );
}

/** The URL of a consumer's page in the Temporal UI. */
export function pageOf(stack: Stack, id: string): string {
  return workflowPage(stack, `consumer/${id}`);
}

/** The URL of a workflow's page in the Temporal UI. */
export function workflowPage(stack: Stack, workflowId: string): string {
  const workflow = encodeURIComponent(workflowId);
  return `${stack.uiUrl}/namespaces/${stack.temporal.namespace}/workflows/${workflow}`;
}

/** Prints the seconds since `began` (monotonic ms). */
export function since(began: number): string {
  return secondsSince(began).toFixed(1);
}

function secondsSince(began: number): number {
  return (performance.now() - began) / 1_000;
}
