import { until } from './poll.ts';
import { accept, answer, openReceiver, type Respond, type TestReceiver } from './receiver.ts';
import { someEvents, type World } from './world.ts';

/** What lives plant where it must not be seen again: a credential and the data of entries. */
export const PLANTED = 'planted-secret-4711';

/** One life of a consumer, whose histories are replayed and recorded. */
export interface Lived {
  consumer: string;
  /** Its workflow's first run. */
  firstRun: string;
}

/** A life with an edit, a block, a stop, a resume, a seek and continue-as-new. */
export async function wholeLife(world: World): Promise<Lived> {
  await using receiver = await openReceiver();
  const { consumer, firstRun, command } = await begin(world, receiver, ['sync-1']);
  const runs = new Set<string>();
  await world.append.events(someEvents(5, { data: JSON.stringify({ body: PLANTED }) }));
  await until(() => receiver.received.length === 5);
  await command('filter', { add: { syncs: ['sync-2'] } });
  await world.handle(consumer).signal('removeSyncs', ['sync-2']);
  await world.handle(consumer).signal('addSyncs', 'garbage');
  receiver.respond = answer(500);
  await world.append.events(someEvents(3));
  await world.becomes(consumer, 'stopped');
  receiver.respond = accept;
  await command('resume');
  await world.caughtUp(consumer);
  await command('seek', { to: 'beginning' });
  await world.caughtUp(consumer);
  for (let round = 0; runs.size < 2 && round < 60; round += 1) {
    await command('pause');
    await command('resume');
    runs.add((await world.handle(consumer).describe()).runId);
  }
  await world.append.events(someEvents(2));
  await world.caughtUp(consumer);
  await command('pause');
  return { consumer, firstRun };
}

/**
 * A life with everything that an endpoint's failure brings: attempts, a warning, commands while
 * blocked, parked entries and their timer, each way to stop; then it is deleted while it sends.
 */
export async function failingLife(world: World): Promise<Lived> {
  await using receiver = await openReceiver(answer(503, { 'retry-after': '3' }));
  const { consumer, firstRun, command } = await begin(world, receiver, ['sync-1', 'sync-2']);
  const received = (after = receiver.received.length) =>
    until(() => receiver.received.length > after);
  const blocked = async (): Promise<void> => {
    await world.becomes(consumer, 'blocked');
    await received(); // what `deliver` sends
  };
  const parked = (count: number) =>
    until(async () => (await world.get(consumer)).parked === count, { what: `${count} parked` });

  // Blocked: it is warned of while it waits, paused, resumed, tried, paused again, and retried.
  await world.append.events(someEvents(6));
  await until(async () => {
    const { rows } = await world.db.query(`select from alerts where kind = 'warning'`);
    return rows.length === 1;
  });
  await command('pause');
  receiver.respond = answer(503);
  await command('resume');
  await blocked();
  await command('pause');
  await world.handle(consumer).signal('retryNow'); // refused
  await command('resume');
  await blocked();
  receiver.respond = accept;
  await command('retry');
  await world.caughtUp(consumer);

  // A parked entry: a wake while its timer runs, the timer, the end of its window, and its replay.
  receiver.respond = refuse('"n":6}');
  await world.append.events(someEvents(4, { from: 6, records: 20 }));
  await parked(1);
  await idle(world);
  await world.append.events(someEvents(2, { from: 10, records: 20 }));
  await world.caughtUp(consumer);
  await parked(0);
  receiver.respond = accept;
  await command('dead-letters/replay', { all: true });
  await parked(0);
  await command('resend', { position: 1 });

  // Sending: its worker is replaced, then it is moved.
  receiver.respond = slowly;
  await world.append.events(someEvents(6, { from: 20 }));
  await received();
  await world.stopWorker();
  await world.startWorker();
  await received();
  await command('seek', { to: 'beginning' });
  receiver.respond = accept;
  await world.caughtUp(consumer);

  // Blocked: it is moved past what fails, and what fails is filtered out.
  receiver.respond = answer(503);
  await world.append.events(someEvents(3));
  await blocked();
  await command('seek', { to: 'end' });
  await world.append.events(someEvents(1, { syncId: 'sync-2' }));
  await blocked();
  await world.handle(consumer).signal('removeSyncs', ['sync-2']);
  await world.becomes(consumer, 'active');

  // Blocked: its head is found out to be at fault, and is parked.
  await world.append.events(someEvents(4, { from: 30, records: 40 }));
  await blocked();
  receiver.respond = refuse('"n":30}');
  await world.handle(consumer).signal('retryNow');
  await parked(1);
  await world.caughtUp(consumer);
  receiver.respond = accept;
  await command('retry');
  await parked(0);

  // Stopped: gone while it sends, gone while it is blocked, and after the window.
  receiver.respond = answer(410);
  await world.append.events(someEvents(1));
  await world.becomes(consumer, 'stopped');
  receiver.respond = answer(503);
  await command('resume');
  await blocked();
  receiver.respond = answer(410);
  await world.becomes(consumer, 'stopped');
  receiver.respond = answer(503);
  await command('resume');
  await world.becomes(consumer, 'stopped');

  // Resumed, and deleted while it sends.
  receiver.respond = slowly;
  const before = receiver.received.length;
  await command('resume');
  await received(before);
  await world.api.request('DELETE', `/v1/consumers/${consumer}`);
  await until(async () => (await world.handle(consumer).describe()).status.name === 'COMPLETED');
  return { consumer, firstRun };
}

async function begin(world: World, receiver: TestReceiver, syncs: string[]) {
  const target = await world.target(receiver.url, {
    credentials: { type: 'bearer', token: PLANTED },
    max_in_flight: 1, // what is sent after a refused message speaks for the endpoint
  });
  const consumer = await world.consumer(target, { syncs });
  const { runId: firstRun } = await world.handle(consumer).describe();
  const command = async (path: string, body?: unknown): Promise<void> => {
    const { status } = await world.api.request('POST', `/v1/consumers/${consumer}/${path}`, body);
    if (status > 299) throw new Error(`${path} was answered ${status}`);
  };
  return { consumer, firstRun, command };
}

/** Resolves once the world's one consumer is idle as its row says, and nobody sends for it. */
function idle(world: World): Promise<boolean> {
  return until(async () => {
    const { rows } = await world.db.query<{ idle: boolean }>(
      'select idle and holder is null as idle from cursors',
    );
    return rows[0]?.idle === true;
  });
}

/** Refuses one message for good and takes all others. */
function refuse(text: string): Respond {
  return (one, response) => (one.body.includes(text) ? answer(400) : accept)(one, response);
}

function slowly(...[one, response]: Parameters<Respond>): void {
  setTimeout(() => accept(one, response), 400);
}
