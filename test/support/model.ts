import type { StopReason } from '../../src/consumers/lifecycle.ts';
import type { Db } from '../../src/db/db.ts';
import type { CommandAnswer, Command } from '../../src/rules/command.ts';
import type { ConsumerBatch } from '../../src/schema/batch.ts';
import type { Filter, Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { Life, Watcher } from './engine.ts';
import { createModelEntries, type Known } from './modelEntries.ts';
import { createModelFilters } from './modelFilters.ts';
import { createModelRequests } from './modelRequests.ts';
import { readSnapshot, type Snapshot } from './modelSnapshot.ts';
import { WINDOW_MS } from './process.ts';
import { createScriptedEndpoint } from './scriptedEndpoint.ts';
import type { Arrival, Reply } from './wire.ts';

const MINUTE = 60_000;
/** What has happened is stored within this time: an interval of the committer, and some. */
const STORED_MS = { drain: 100, visit: 200 };

export interface ModelOptions {
  db: Db;
  stream: StreamName;
  ordering: Ordering;
  maxInFlight: number;
  batch: ConsumerBatch | null;
  /** Whether a lane visits it: what it sends is stored some moments later than by a drain. */
  visits: boolean;
  seed: number;
  filter: Filter;
  /** A sync's name in this life. */
  name: (sync: string) => string;
}

/** What the contract says of one consumer, told of everything that happens on the wire. */
export function createModel(options: ModelOptions) {
  const { db, stream, ordering } = options;
  const { log, wrong, say, blame } = createJournal();
  const endpoint = createScriptedEndpoint(options.seed);
  const filters = createModelFilters(options);
  const requests = createModelRequests({ ...options, blame });
  const { isOpen: isRequested } = requests;
  const storedMs = options.visits ? STORED_MS.visit : STORED_MS.drain;
  const entries = createModelEntries({ stream, ordering, storedMs, filters, isRequested, blame });
  let life: Life | null = null;
  let soughtAt = 0;
  let moving = 0; // commands under way that move the position or the filter
  let died: number | null = null;
  let previous = '';

  async function look(): Promise<Snapshot> {
    const now = await readSnapshot(db.pipe, life?.consumerId);
    // What died before a seek behind it lives anew; its dead letter stays listed.
    const counts = ({ position, died_at }: Snapshot['dead'][number]): boolean =>
      position <= filters.start || Date.parse(died_at) >= soughtAt;
    return { ...now, dead: now.dead.filter(counts) };
  }

  function arrives(request: Arrival): Reply {
    const { positions, attempt } = request;
    const members = positions.map((position) => entries.at(position)).filter(isKnown);
    if (members.length < positions.length || members.length === 0) {
      blame(`a request for ${positions.join(', ')}, not all of which are entries`);
      return null;
    }
    const records = members.map((one) => one.record);
    const reply = endpoint.replyTo(records);
    const what = members.map(({ position, record }) => `${position} (r${record})`).join(', ');
    say(`→ ${what} attempt ${attempt}: ${reply?.status ?? 'nothing'}`);
    requests.arrives(request, records, reply);
    for (const entry of members) entries.arrives(entry, request, reply);
    return reply;
  }

  function applying(command: Command): void {
    say(`${command.kind} is applied`);
    if (command.kind === 'seek' || command.kind === 'filter') moving += 1;
    requests.applying(command);
  }

  async function applied(command: Command, answer: CommandAnswer): Promise<void> {
    const now = await look();
    say(`${command.kind} is in force: ${JSON.stringify(answer)}, ${now.status}`);
    requests.applied(command, answer, now);
    if (command.kind === 'seek') {
      soughtAt = Date.now();
      filters.seek(now.position);
      entries.sought(now);
    }
    if (command.kind === 'filter') {
      if (now.filter_from === null) blame('an edit is in force, but nobody knows from where');
      filters.edit(command.delta, now.filter_from ?? 0);
    }
    if (command.kind === 'seek' || command.kind === 'filter') moving -= 1;
  }

  async function stopped(why: StopReason): Promise<void> {
    const now = await look();
    say(`stop, ${why}: ${now.status}`);
    if (now.status === 'stopped') requests.stopped();
    const since = now.failing_since === null ? NaN : Date.parse(now.failing_since);
    if (why === 'window' && now.status === 'stopped' && !(Date.now() >= since + WINDOW_MS - MINUTE))
      blame(`stopped ${Date.now() - since} ms after the first failure`);
  }

  async function settled(changed: boolean): Promise<void> {
    if ((changed || died !== null || entries.inDoubt) && life !== null) {
      const now = await look();
      const { position, ahead, parked, dead, status, idle } = now;
      const buried = dead.map((one) => one.position);
      const line = JSON.stringify({ status, idle, position, ahead, parked, dead: buried });
      if (line !== previous) say(line);
      previous = line;
      requests.looked(now);
      if (died !== null) {
        entries.died(now, died);
        requests.died(now);
      }
      died = null;
      if (moving === 0) entries.account(now);
    }
    if (wrong.length > 0) throw new Error([...wrong, '', ...log.slice(-120)].join('\n'));
  }

  const watcher: Watcher = {
    arrives,
    over: requests.over,
    applying,
    applied,
    stopped,
    died: () => {
      say('the sender dies');
      died = Date.now();
    },
    settled,
  };

  return {
    watcher,
    say,
    look,
    log,
    begin: (begun: Life) => {
      life = begun;
    },
    answerWith: endpoint.answerWith,
    poison: endpoint.poison,
    append: (of: Parameters<typeof entries.append>[0]) => {
      say(`append ${of.position} (r${of.record}, ${of.n})`);
      entries.append(of);
    },
    positions: entries.positions,
    /** The largest number of entries that came with one request. */
    mostInOne: () => requests.mostInOne,
    get halted() {
      return requests.halted;
    },
    missing: entries.missing,
    /** What is missing although its record is not poisoned. */
    heldUp: (now: Snapshot): number[] =>
      entries.missing(now).filter((position) => {
        const entry = entries.at(position);
        return entry !== undefined && !endpoint.isPoisoned(entry.record);
      }),
  };
}

function isKnown(entry: Known | undefined): entry is Known {
  return entry !== undefined;
}

/** What happened, and what of it must not have. */
function createJournal() {
  const began = Date.now();
  const log: string[] = [];
  const wrong: string[] = [];
  const say = (line: string): void => void log.push(`${(Date.now() - began) / 1_000} s: ${line}`);
  const blame = (line: string): void => {
    say(`WRONG: ${line}`);
    wrong.push(line);
  };
  return { log, wrong, say, blame };
}
