import type { StopReason } from '../../src/consumers/lifecycle.ts';
import type { Db } from '../../src/db/db.ts';
import type { CommandAnswer, Command } from '../../src/rules/command.ts';
import { applyDelta, compile } from '../../src/rules/filter.ts';
import type { ConsumerStatus, Filter, Ordering } from '../../src/schema/consumer.ts';
import type { StreamName } from '../../src/schema/stream.ts';
import type { Life, Watcher } from './engine.ts';
import { WINDOW_MS } from './process.ts';
import { drawFrom } from './seeded.ts';
import type { Arrival, Reply } from './wire.ts';

const MINUTE = 60_000;
/** What has happened is stored within this time: an interval of the committer, and some. */
const STORED_MS = 100;

/** Five records; a name in a step is made the life's own by its prefix. */
export const RECORDS = [
  { sync: 'a', collection: 'm:x' },
  { sync: 'a', collection: 'm:y' },
  { sync: 'b', collection: 'm:x' },
  { sync: 'b', collection: 'm:y' },
  { sync: 'a', collection: 'm:x' },
] as const;

export type Mode = 'well' | 'reset' | 'silent' | 410 | 429 | 500 | 503;

export interface ModelOptions {
  db: Db;
  stream: StreamName;
  ordering: Ordering;
  maxInFlight: number;
  seed: number;
  filter: Filter;
  /** A sync's name in this life. */
  name: (sync: string) => string;
}

/** What is known of one entry. */
interface Known {
  position: number;
  record: number;
  event: string | null;
  messageId: string | null;
  /** Answered 2xx since the last seek behind it. */
  delivered: number;
  /** When it was last answered so. */
  at: number;
  /** How often it may come again: the sender died before that was stored. */
  mayRepeat: number;
  /** Records stream: it has a newer version. */
  superseded: boolean;
  /** A seek passed over it. */
  skipped: boolean;
}

interface Snapshot {
  position: number;
  ahead: number[];
  status: ConsumerStatus;
  failing_since: string | null;
  next_attempt_at: string | null;
  idle: boolean;
  filter_from: number | null;
  parked: number[];
  dead: { position: number; parked_at: string; died_at: string }[];
}

/** What the contract says of one consumer, told of everything that happens on the wire. */
export function createModel(options: ModelOptions) {
  const { db, stream, ordering, maxInFlight, filter, name } = options;
  const draw = drawFrom(options.seed);
  const began = Date.now();
  const entries = new Map<number, Known>();
  const open = new Map<Arrival, Reply>();
  const hurried = new Set<Arrival>(); // open when a retry was asked for, which goes on after them
  const log: string[] = [];
  const wrong: string[] = [];
  let doubts: { sent: number; at: number; before: Known }[] = []; // who is dead is known when that is stored
  let strangers: Known[] = []; // sent while an edit is under way that may let them through
  let versions = [{ from: 0, filter }];
  let start = 0;
  let soughtAt = 0;
  let editedAt = 0;
  let mode: Mode = 'well';
  let asked: { seconds: number; asDate: boolean } | null = null;
  let poison = new Map<number, number>();
  let notBefore = 0;
  let windowEnds = Infinity;
  let gone = false;
  let halted = false;
  let moving = 0;
  let died: number | null = null;

  const say = (line: string): void => void log.push(`${(Date.now() - began) / 1_000} s: ${line}`);
  const blame = (line: string): void => {
    say(`WRONG: ${line}`);
    wrong.push(line);
  };

  /** An entry passes its own filter version and every later one, or need not come. */
  function verdictOf({ position, record, event }: Known): 'must' | 'may' | 'never' {
    const { sync, collection } = RECORDS[record] ?? RECORDS[0];
    const passes = versions.map((one) =>
      compile(one.filter)({ syncId: name(sync), collectionId: collection, event }),
    );
    if (position <= start) return passes.every(Boolean) ? 'must' : 'may';
    const own = Math.max(
      0,
      versions.findLastIndex((one) => one.from < position),
    );
    if (passes[own] !== true) return 'never';
    return passes.slice(own).every(Boolean) ? 'must' : 'may';
  }

  /** It does not pass the newest version, which is in force and no request of it is open. */
  function isClosed({ position, record, event }: Known): boolean {
    if (Date.now() < editedAt + STORED_MS) return false;
    for (const request of open.keys()) if (request.position === position) return false;
    const { sync, collection } = RECORDS[record] ?? RECORDS[0];
    const newest = compile(versions.at(-1)?.filter ?? filter);
    return !newest({ syncId: name(sync), collectionId: collection, event });
  }

  function isOpen(entry: Known): boolean {
    const { delivered, superseded, skipped } = entry;
    return delivered === 0 && !superseded && !skipped && verdictOf(entry) === 'must';
  }

  function replyTo(record: number): Reply {
    const afterMs = 1 + Math.floor(draw() ** 2 * 300);
    if (mode === 'silent') return null;
    if (mode === 'reset' || mode === 410) return { afterMs, status: mode };
    const status = poison.get(record);
    if (status !== undefined) return { afterMs, status };
    if (mode === 'well') return { afterMs, status: 204 };
    if (asked === null) return { afterMs, status: mode };
    const at = new Date(Date.now() + afterMs + asked.seconds * 1_000);
    const retryAfter = asked.asDate ? at.toUTCString() : String(asked.seconds);
    return { afterMs, status: mode, retryAfter };
  }

  function arrives(request: Arrival): Reply {
    const { position, messageId, attempt } = request;
    const now = Date.now();
    const entry = entries.get(position);
    if (entry === undefined) {
      blame(`a request for ${position}, which is no entry`);
      return null;
    }
    const reply = replyTo(entry.record);
    say(`→ ${position} (r${entry.record}) attempt ${attempt}: ${reply?.status ?? 'nothing'}`);
    if (halted) blame(`${position} is sent while paused or stopped`);
    if (gone) blame(`${position} is sent after a 410`);
    if (now + 2 < notBefore && now < windowEnds - MINUTE)
      blame(`${position} is sent ${notBefore - now} ms before Retry-After`);
    if (open.size >= maxInFlight) blame(`${open.size + 1} requests are open`);
    const records = [...open.keys()].map((one) => entries.get(one.position)?.record);
    if (ordering === 'record' && records.includes(entry.record))
      blame(`two of record ${entry.record} are open`);
    if (ordering === 'stream' && open.size > 0) blame('two of the stream are open');
    if (entry.messageId !== null && entry.messageId !== messageId) blame(`${position} has two ids`);
    entry.messageId = messageId;
    if (entry.delivered > 0 && entry.mayRepeat === 0) blame(`${position} is sent again`);
    if (verdictOf(entry) === 'never') strangers.push(entry);
    open.set(request, reply);
    for (const before of entries.values()) {
      if (before.position >= position || ordering === 'none' || !isOpen(before)) continue;
      if (ordering === 'record' && before.record !== entry.record) continue;
      doubts.push({ sent: position, at: now, before });
    }
    if (reply !== null && reply.status === 204) {
      if (entry.delivered > 0) entry.mayRepeat -= 1;
      entry.delivered += 1;
      entry.at = now + reply.afterMs;
    }
    return reply;
  }

  function over(request: Arrival, read: boolean): void {
    const reply = open.get(request);
    open.delete(request);
    const free = hurried.delete(request);
    if (!read || reply == null) return;
    if (reply.status === 410) gone = true;
    if (reply.retryAfter === undefined || free) return;
    const seconds = Number(reply.retryAfter);
    const at = Number.isNaN(seconds) ? Date.parse(reply.retryAfter) : Date.now() + seconds * 1_000;
    notBefore = Math.max(notBefore, at);
  }

  function applying(command: Command): void {
    say(`${command.kind} is applied`);
    const moves = command.kind === 'seek' || command.kind === 'filter';
    if (moves) moving += 1;
    const frees = command.kind === 'seek' || command.kind === 'retry';
    if (frees || (command.kind === 'resume' && halted)) notBefore = 0;
    if (command.kind === 'resume') {
      halted = false;
      gone = false;
    }
  }

  async function applied(command: Command, answer: CommandAnswer): Promise<void> {
    const now = await look();
    say(`${command.kind} is in force: ${JSON.stringify(answer)}, ${now.status}`);
    if (command.kind === 'pause' && answer.ok) halted = true;
    if (command.kind === 'retry') {
      notBefore = 0;
      for (const request of open.keys()) hurried.add(request);
    }
    if (command.kind === 'seek') sought(now);
    if (command.kind === 'filter') {
      const newest = versions.at(-1)?.filter ?? filter;
      editedAt = Date.now();
      const edited = applyDelta(newest, command.delta, stream);
      if (now.filter_from === null) blame('an edit is in force, but nobody knows from where');
      if (edited.ok && JSON.stringify(edited.filter) !== JSON.stringify(newest))
        versions.push({ from: now.filter_from ?? 0, filter: edited.filter });
    }
    if (command.kind === 'seek' || command.kind === 'filter') moving -= 1;
  }

  function sought(now: Snapshot): void {
    start = now.position;
    soughtAt = Date.now();
    versions = [{ from: start, filter: versions.at(-1)?.filter ?? filter }];
    const known = new Set([...now.parked, ...now.dead.map((one) => one.position)]);
    for (const entry of entries.values()) {
      if (entry.position <= start) {
        entry.skipped ||= entry.delivered === 0 && !known.has(entry.position);
        continue;
      }
      Object.assign(entry, { delivered: 0, mayRepeat: 0, skipped: false });
    }
    gone &&= now.status === 'stopped';
  }

  async function stopped(why: StopReason): Promise<void> {
    const now = await look();
    say(`stop, ${why}: ${now.status}`);
    if (now.status === 'stopped') halted = true;
    const since = now.failing_since === null ? NaN : Date.parse(now.failing_since);
    if (why === 'window' && now.status === 'stopped' && !(Date.now() >= since + WINDOW_MS - MINUTE))
      blame(`stopped ${Date.now() - since} ms after the first failure`);
  }

  async function look(): Promise<Snapshot> {
    const { rows } = await db.pipe.query<Snapshot>({
      name: 'snapshot',
      text: `
        select c.position, c.ahead, k.status, k.failing_since, c.next_attempt_at, c.idle,
               (select f.filter_from from filter_versions f
                 where f.consumer_id = k.id and f.version = k.filter_version),
               coalesce((select json_agg(p.position order by p.position) from parked p
                          where p.consumer_id = k.id), '[]') as parked,
               coalesce((select json_agg(json_build_object('position', d.position,
                                  'parked_at', d.parked_at, 'died_at', d.died_at))
                           from dead_letters d where d.consumer_id = k.id), '[]') as dead
          from consumers k join cursors c on c.consumer_id = k.id where k.id = $1`,
      values: [life?.consumerId],
    });
    const now = rows[0] as Snapshot;
    // What died before a seek behind it lives anew; its dead letter stays listed.
    const counts = ({ position, died_at }: Snapshot['dead'][number]): boolean =>
      position <= start || Date.parse(died_at) >= soughtAt;
    return { ...now, dead: now.dead.filter(counts) };
  }

  let life: Life | null = null;
  let previous = '';

  async function settled(changed: boolean): Promise<void> {
    if ((changed || died !== null || doubts.length + strangers.length > 0) && life !== null) {
      const now = await look();
      const { position, ahead, parked, dead, status, idle } = now;
      const buried = dead.map((one) => one.position);
      const line = JSON.stringify({ status, idle, position, ahead, parked, dead: buried });
      if (line !== previous) say(line);
      previous = line;
      windowEnds =
        now.failing_since === null ? Infinity : Date.parse(now.failing_since) + WINDOW_MS;
      const unsettled = outOf(now);
      if (died !== null) afterDeath(now, unsettled, died);
      died = null;
      if (moving === 0) account(now, unsettled);
    }
    if (wrong.length > 0) throw new Error([...wrong, '', ...log.slice(-120)].join('\n'));
  }

  function outOf(now: Snapshot): (entry: Known) => boolean {
    const ahead = new Set(now.ahead);
    return ({ position }) => position > now.position && !ahead.has(position);
  }

  /** What a successor can't know: what came in the last moments. */
  function afterDeath(now: Snapshot, unsettled: (entry: Known) => boolean, at: number): void {
    for (const entry of entries.values()) {
      const stored = !unsettled(entry) && !now.parked.includes(entry.position);
      if (entry.delivered === 0 || stored) continue;
      const known = entry.mayRepeat > 0; // since an earlier death, and it has not come again
      entry.mayRepeat = 1;
      if (!known && at > entry.at + STORED_MS)
        blame(`${entry.position} was not stored ${at - entry.at} ms after its 2xx`);
    }
    const stored = now.status === 'blocked' ? Date.parse(now.next_attempt_at ?? '') || 0 : 0;
    notBefore = Math.min(notBefore, stored);
    gone = false;
    doubts = []; // a death that was not stored is not known to a successor
  }

  function account(now: Snapshot, unsettled: (entry: Known) => boolean): void {
    const parked = new Set(now.parked);
    const dead = new Map(now.dead.map((one) => [one.position, one]));
    doubts = doubts.filter(({ before }) => isOpen(before) && !dead.has(before.position));
    for (const { sent, at, before } of doubts) {
      if (Date.now() > at + STORED_MS)
        blame(`${sent} is sent before ${before.position} of its lane`);
    }
    for (const one of strangers)
      if (verdictOf(one) === 'never') blame(`${one.position} is sent, but does not pass`);
    strangers = [];
    for (const { position, parked_at, died_at } of dead.values()) {
      const lived = Date.parse(died_at) - Date.parse(parked_at);
      if (lived < WINDOW_MS - MINUTE) blame(`${position} died after ${lived} ms`);
    }
    for (const entry of entries.values()) {
      const { position, delivered } = entry;
      if (parked.has(position) && dead.has(position)) blame(`${position} is parked and dead`);
      if (parked.has(position) && isClosed(entry)) blame(`${position} is parked, but closed`);
      if (unsettled(entry) && parked.has(position)) blame(`${position} is parked and ahead`);
      if (unsettled(entry) || delivered > 0 || parked.has(position) || dead.has(position)) continue;
      if (isOpen(entry)) blame(`${position} is settled, but nothing has become of it`);
    }
  }

  const watcher: Watcher = {
    arrives,
    over,
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
    answerWith: (next: Mode, retryAfter: number | null, asDate: boolean) => {
      mode = next;
      asked = retryAfter === null ? null : { seconds: retryAfter, asDate };
    },
    poison: (next: Map<number, number>) => {
      poison = next;
    },
    append: (position: number, record: number, event: string | null) => {
      say(`append ${position} (r${record})`);
      if (stream === 'records')
        for (const one of entries.values()) one.superseded ||= one.record === record;
      const fresh = { delivered: 0, at: 0, mayRepeat: 0, superseded: false, skipped: false };
      entries.set(position, { position, record, event, messageId: null, ...fresh });
    },
    positions: () => [...entries.keys()],
    get halted() {
      return halted;
    },
    /** What should have come and has not. */
    missing: (now: Snapshot) => {
      const dead = new Set(now.dead.map((one) => one.position));
      const open = [...entries.values()].filter((one) => isOpen(one) && !dead.has(one.position));
      return [...open.map((one) => one.position), ...now.parked];
    },
  };
}
