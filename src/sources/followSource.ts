import type { Logger } from 'pino';

import { CHANNELS } from '../db/channels.ts';
import type { Db } from '../db/db.ts';
import { isDatabaseAway } from '../db/errors.ts';
import type { Listener } from '../db/listener.ts';
import type { Vault } from '../db/vault.ts';
import type { Appender } from '../streams/append.ts';
import { createCheckpoints } from '../streams/checkpoints.ts';
import { Fenced } from '../streams/fence.ts';
import type { Passes } from '../streams/passes.ts';
import { checkpointsOf } from './checkpointNames.ts';
import { createFencedAppend } from './fencedAppend.ts';
import { followFaultOf, wordsOfEnding } from './followFault.ts';
import { followRun, type RunEnding } from './followRun.ts';
import { keepLease, type KeptLease } from './keepLease.ts';
import { OfDatabase, ofDatabase } from './ofDatabase.ts';
import { readAddress, sourceConfig, type SourceAddress } from './postgres/sourceAddress.ts';
import type { OpenSocket, SourceConfig } from './postgres/sourceConfig.ts';
import { setUp } from './setUp.ts';
import { openSourceDatabase } from './sourceDatabase.ts';
import {
  claimSource,
  failSource,
  noteInterruption,
  releaseLease,
  removeSource,
  type ClaimedSource,
  type Seen,
} from './sourceLeases.ts';
import { loadProgress, logCheckpoint } from './sourceProgress.ts';
import { openUrl } from './sourceUrl.ts';

export interface FollowSourceDeps {
  db: Db;
  vault: Vault;
  listener: Pick<Listener, 'on'>;
  appender: Pick<Appender, 'records'>;
  passes: Passes;
  /** Opens the sockets to databases that users have named. */
  openSocket: OpenSocket;
  /** Names this process. */
  holder: string;
  /** How long a lease lasts, ms; 8 s unless given. */
  leaseMs?: number;
  log: Pick<Logger, 'info' | 'warn'>;
}

/** Why a source is not followed any more. */
export type Followed = 'gone' | 'paused' | 'failed' | 'stopped';

/** A source can't be followed at the moment; it is to be tried again after so many ms, or at the caller's pace. */
export class Interrupted extends Error {
  override name = 'Interrupted';
  readonly againMs: number | null;

  constructor(message: string, options: { againMs?: number; cause?: unknown } = {}) {
    super(message, options);
    this.againMs = options.againMs ?? null;
  }
}

const LEASE_MS = 8_000;
/** A lease is renewed so often while it lasts. */
const RENEWALS = 4;
/** After an interruption it is claimed again within this time, ms, whoever does it; otherwise something is wrong. */
const AGAIN_MS = 60_000;

/**
 * Follows a source until it is paused, fails, is deleted, or `stop` aborts. Goes on from exactly what is stored, after
 * whatever end of another one. `onSeen` is given what was seen, every few seconds. Rejects with `Interrupted` when it has to be tried again, and with an error of Postgres.
 */
export async function followSource(
  deps: FollowSourceDeps,
  id: string,
  stop: AbortSignal,
  onSeen: (seen: Seen) => void = () => undefined,
): Promise<Followed> {
  const { db, holder, leaseMs = LEASE_MS } = deps;
  while (!stop.aborted) {
    const claim = await claimSource(db, { id, holder, leaseMs });
    if (claim.kind === 'gone') return 'gone';
    if (claim.kind === 'resting') return claim.status;
    if (claim.kind === 'held') {
      const message = `Another worker follows the source ${id}`;
      throw new Interrupted(message, { againMs: claim.leftMs + 100 });
    }
    const ended = await followClaimed(deps, claim.source, { stop, onSeen });
    if (ended !== 'again') return ended;
  }
  return 'stopped';
}

/** Follows under one claim; `again`: it is to be claimed anew, as something has changed. */
async function followClaimed(
  deps: FollowSourceDeps,
  source: ClaimedSource,
  { stop, onSeen }: { stop: AbortSignal; onSeen: (seen: Seen) => void },
): Promise<Followed | 'again'> {
  const { db, listener, leaseMs = LEASE_MS, log } = deps;
  let take: (() => Seen) | null = null;
  const seen = (): Seen => {
    if (take === null) return { measured: null, lsn: null, tables: [] };
    const last = take();
    onSeen(last);
    return last;
  };
  const everyMs = leaseMs / RENEWALS;
  const lease = keepLease({ db, source, leaseMs, everyMs, seen, stop, log });
  const unlisten = listener.on(CHANNELS.sources, (changed) => {
    if (changed === null || changed === source.id) lease.hint();
  });
  const onSight = (how: () => Seen): void => {
    take = how;
  };
  try {
    return await attempt(deps, source, { lease, onSight });
  } finally {
    unlisten();
    await lease.close();
  }
}

interface Attempt {
  lease: KeptLease;
  onSight: (take: () => Seen) => void;
}

async function attempt(
  deps: FollowSourceDeps,
  source: ClaimedSource,
  parts: Attempt,
): Promise<Followed | 'again'> {
  const { lease } = parts;
  let address: SourceAddress | null = null;
  try {
    address = addressOf(deps, source);
    if (source.status === 'deleting') return await leave(deps, source, { address, lease });
    const ending = await follow(deps, source, { ...parts, address });
    return await afterEnding(deps, source, { ending, lease, address });
  } catch (error) {
    if (error instanceof Interrupted) throw error;
    if (lease.over !== null || error instanceof Fenced)
      return afterLease(deps, source, lease, error);
    return afterError(deps, source, { error, address });
  }
}

function addressOf({ vault }: FollowSourceDeps, source: ClaimedSource): SourceAddress {
  const url = openUrl(source, vault);
  if (url === null) {
    throw new Error(
      `The URL of the source ${source.id} does not open with the keys in MILLRACE_ENCRYPTION_KEYS`,
    );
  }
  return readAddress(url, source.ca);
}

async function follow(
  deps: FollowSourceDeps,
  source: ClaimedSource,
  { lease, onSight, address }: Attempt & { address: SourceAddress },
): Promise<RunEnding> {
  const { db, appender, passes } = deps;
  const { id, epoch, syncId } = source;
  const { signal } = lease;
  const fence = { source: id, epoch };
  const checkpoints = createCheckpoints(db);
  const { append } = createFencedAppend({
    appender,
    fence,
    signal,
    areStored: async (wanted) => {
      const stored = await checkpoints.list(checkpointsOf(id), { limit: 10_000, after: '' });
      const values = new Map(stored.map(({ key, value }) => [key, value]));
      return wanted.every(({ key, value }) => values.get(key) === value);
    },
  });
  const progress = await loadProgress(checkpoints, id);
  const config: SourceConfig = await ofDatabase(() => sourceConfig(address, deps.openSocket));
  await using database = await openSourceDatabase(config, source, signal);
  const ready = await setUp(
    {
      source,
      database,
      append,
      fence,
      passes,
      hasRecords: async (collection) => {
        const { rowCount } = await db.query({
          text: 'select from records where sync_id = $1 and collection_id = $2 limit 1',
          values: [syncId, collection],
        });
        return rowCount === 1;
      },
    },
    progress,
  );
  const parts = { sql: db, config, database, append, fence, passes, onSight, signal };
  const ending = await followRun({ ...parts, source, setUp: ready }); // the database stays open meanwhile
  if (ending.kind === 'log unreadable') await append([], [logCheckpoint(id, null)]);
  return ending;
}

/** Drops what the source has in its database, and then the source itself. */
async function leave(
  { db, openSocket }: FollowSourceDeps,
  source: ClaimedSource,
  { address, lease }: { address: SourceAddress; lease: KeptLease },
): Promise<'gone'> {
  await ofDatabase(async () => {
    const config = await sourceConfig(address, openSocket);
    await using database = await openSourceDatabase(config, source, lease.signal);
    await database.drop();
  });
  await removeSource(db, source);
  return 'gone';
}

async function afterEnding(
  { db }: FollowSourceDeps,
  source: ClaimedSource,
  { ending, lease, address }: { ending: RunEnding; lease: KeptLease; address: SourceAddress },
): Promise<Followed | 'again'> {
  if (lease.over === 'lost') throw new Interrupted(`The lease of the source ${source.id} was lost`);
  if (ending.kind === 'stopped' || ending.kind === 'tables changed') {
    await releaseLease(db, source);
    return lease.over === 'stopped' ? 'stopped' : 'again';
  }
  const words = wordsOfEnding(ending, address) ?? ending.message;
  await noteInterruption(db, source, { detail: words, againMs: AGAIN_MS });
  const isSlotOver = ending.kind === 'slot lost' || ending.kind === 'log unreadable';
  throw new Interrupted(words, isSlotOver ? { againMs: 1 } : {});
}

/** What happened while the lease ended is of no interest: it has been claimed, changed, or is to stop. */
async function afterLease(
  { db, log }: FollowSourceDeps,
  source: ClaimedSource,
  { over }: KeptLease,
  error: unknown,
): Promise<Followed | 'again'> {
  log.info({ err: error, source: source.id }, 'following a source was ended');
  if (over === 'changed' || over === 'stopped') {
    await releaseLease(db, source);
    return over === 'stopped' ? 'stopped' : 'again';
  }
  throw new Interrupted(`The lease of the source ${source.id} was lost`);
}

async function afterError(
  { db, log }: FollowSourceDeps,
  source: ClaimedSource,
  { error, address }: { error: unknown; address: SourceAddress | null },
): Promise<Followed | 'again'> {
  const fault = address === null ? null : followFaultOf(error, address);
  if (fault === null && isDatabaseAway(error)) throw error; // ours: nothing can be noted
  const reason = error instanceof OfDatabase ? error.cause : error;
  const detail = fault?.words ?? `It can't be followed: ${(reason as Error).message}`;
  log.warn({ err: error, source: source.id }, 'a source could not be followed');
  if (fault?.kind === 'lasting' && source.status === 'active') {
    if (await failSource(db, source, detail)) return 'failed';
    await releaseLease(db, source); // somebody has changed it meanwhile
    return 'again';
  }
  await noteInterruption(db, source, { detail, againMs: AGAIN_MS });
  throw new Interrupted(detail, { cause: error });
}
