import { Client as Temporal, Connection } from '@temporalio/client';
import { Webhook } from 'standardwebhooks';

import type { Consumer } from '../../src/schema/consumer.ts';
import type { Target } from '../../src/schema/target.ts';
import { workflowIdOf } from '../../src/temporal/workflowClient.ts';
import { accept, answer } from '../../test/support/receiver.ts';
import { callerOf, type Installation } from '../instruments/installation.ts';
import type { CheckSite } from './check.ts';
import { createLedger, type Ledger } from './ledger.ts';
import type { Rehearsal } from './rehearsal.ts';

/** One step in the life of a consumer. Its result says what was observed; it throws when that is wrong. */
export interface Step {
  what: string;
  run(): Promise<string>;
}

const COLLECTION = 'shop:order';
const ADDED = 'shop:invoice';
const FEW = 20;
const MANY = 3_000;
/** How long the receiver takes for each of many entries, so that a worker is killed in the middle of them, ms. */
const SLOW_MS = 20;
const MAX_IN_FLIGHT = 64;

/**
 * The life of one consumer, in which each command goes to the other API than the one before. A second consumer,
 * the witness, gets every entry: once it has one, the first consumer would have got it as well.
 */
export function stepsOf(site: CheckSite): Step[] {
  const { rehearsal, installation, receiver } = site;
  const [first, second] = callersOf(rehearsal);
  const ledger = createLedger(receiver, installation);
  const path = (): string => `/v1/consumers/${ledger.consumerId}`;

  async function append(count: number, collection: string, expected: boolean): Promise<void> {
    await ledger.append(second, { count, collection, expected });
  }

  async function isIn(status: Consumer['status']): Promise<void> {
    await installation.until(`the consumer is ${status}`, async () => {
      return (await first<Consumer>('GET', path())).status === status;
    });
  }

  return [
    {
      what: 'create',
      run: async () => {
        await installation.consumer({ name: 'witness' });
        const target = await first<Target>('POST', '/v1/targets', {
          name: 'check',
          base_url: receiver.url,
          max_in_flight: MAX_IN_FLIGHT,
        });
        const consumer = await second<Consumer>('POST', '/v1/consumers', {
          name: 'check',
          target_id: target.id,
          stream: 'events',
          collections: [COLLECTION],
        });
        ledger.begin(consumer.id, new Webhook(target.signing_secret));
        await first('GET', path());
        return 'a target by one API, its consumer by the other';
      },
    },
    {
      what: 'append and deliver',
      run: async () => {
        await append(FEW, COLLECTION, true);
        await ledger.settle();
        return `${FEW} entries, each once, signed and in order`;
      },
    },
    {
      what: 'pause',
      run: async () => {
        const { status } = await second<Consumer>('POST', `${path()}/pause`);
        if (status !== 'paused') throw new Error(`the consumer is ${status}`);
        const before = receiver.received.length;
        await append(FEW, COLLECTION, true);
        await ledger.witnessed();
        ledger.nothingSince(before);
        return `nothing of ${FEW} entries, which the witness has`;
      },
    },
    {
      what: 'resume',
      run: async () => {
        await first('POST', `${path()}/resume`);
        await ledger.settle();
        return `the ${FEW} entries, each once`;
      },
    },
    {
      what: 'edit the filter',
      run: async () => {
        await append(FEW, ADDED, false);
        await ledger.witnessed();
        await second('POST', `${path()}/filter`, { add: { collections: [ADDED] } });
        await append(FEW, ADDED, true);
        await ledger.settle();
        return `${FEW} entries of ${ADDED} since it was added, none from before`;
      },
    },
    {
      what: 'endpoint fails',
      run: async () => {
        receiver.respond = answer(503);
        await append(FEW, COLLECTION, true);
        await isIn('blocked');
        await ledger.witnessed();
        return 'answers 503: the consumer is blocked, the witness goes on';
      },
    },
    {
      what: 'endpoint is back',
      run: async () => {
        receiver.respond = accept;
        await ledger.settle();
        await isIn('active');
        return `the ${FEW} entries, in order; the consumer is active`;
      },
    },
    {
      what: 'kill -9 of a worker',
      run: () => killAndTakeOver(site, ledger, () => append(MANY, COLLECTION, true)),
    },
    {
      what: 'delete',
      run: async () => {
        await second('DELETE', path());
        const before = receiver.received.length;
        await append(FEW, COLLECTION, false);
        await ledger.witnessed();
        ledger.nothingSince(before);
        await workflowEnds(site, ledger.consumerId);
        return 'nothing is sent any more, and its workflow has ended';
      },
    },
  ];
}

type Caller = Installation['api'];

function callersOf({ urls, apiKey }: Rehearsal): [Caller, Caller] {
  const [first, second] = urls.map((url) => callerOf({ url, apiKey }));
  if (first === undefined || second === undefined) throw new Error('there are not two APIs');
  return [first, second];
}

/** Kills the worker that sends, in the middle of many entries; the other one has to send the rest. */
async function killAndTakeOver(
  { rehearsal, installation, receiver }: CheckSite,
  ledger: Ledger,
  appendMany: () => Promise<void>,
): Promise<string> {
  receiver.respond = (received, response) => {
    setTimeout(() => {
      accept(received, response);
      received.status = response.statusCode;
    }, SLOW_MS);
  };
  const before = receiver.received.length;
  await appendMany();
  await installation.until('some are sent', async () => {
    return receiver.received.length > before + MANY / 10;
  });
  const pid = await ledger.sender();
  const killed = rehearsal.workers.find((worker) => worker.pid() === pid);
  if (killed === undefined) throw new Error(`no worker sends for the consumer (holder: ${pid})`);
  await killed.killHard();
  const at = performance.now();
  const stored = await ledger.stored();
  const sentBefore = receiver.received.length;
  let heir: number | null = null;
  await installation.until('another worker sends', async () => {
    const sender = await ledger.sender();
    if (sender !== pid) heir ??= sender;
    return receiver.received.length > sentBefore && heir !== null;
  });
  const seconds = ((performance.now() - at) / 1_000).toFixed(1);
  const other = rehearsal.workers.find((worker) => worker.pid() === heir);
  if (other === undefined) throw new Error(`process ${heir} sends now, which is none of ours`);
  await ledger.settle(stored);
  receiver.respond = accept;
  await killed.start();
  return `${killed.name}; ${other.name} took over after ${seconds} s, ${ledger.repeated()} of ${MANY} entries came again, all of them unstored`;
}

async function workflowEnds({ rehearsal, installation }: CheckSite, id: string): Promise<void> {
  const { address, namespace } = rehearsal.temporal;
  const connection = await Connection.connect({ address });
  try {
    const client = new Temporal({ connection, namespace });
    const handle = client.workflow.getHandle(workflowIdOf(id));
    await installation.until('its workflow has ended', async () => {
      return (await handle.describe()).status.name !== 'RUNNING';
    });
  } finally {
    await connection.close();
  }
}
