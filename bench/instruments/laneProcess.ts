// A leader and lanes of visits, without Temporal. `lanesAlone.ts` starts this process.
import { randomUUID } from 'node:crypto';

import pino from 'pino';

import { openDb } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { createVault } from '../../src/db/vault.ts';
import { createEgress } from '../../src/egress/egress.ts';
import { createSharedOutlets } from '../../src/egress/sharedOutlets.ts';
import { createPages } from '../../src/streams/pages.ts';
import { createDrains } from '../../src/temporal/drains.ts';
import { createOpenSender } from '../../src/temporal/openSender.ts';
import { createLeaderStore } from '../../src/wake/leaderStore.ts';
import { createPacedQueue } from '../../src/wake/pacedQueue.ts';
import { startWake } from '../../src/wake/wake.ts';
import { report, settingsOf } from './child.ts';

/** The settings that the process is started with. */
export interface LaneSettings {
  databaseUrl: string;
  /** The key of the vault, base64. */
  key: string;
  lanes: number;
  /** How long a consumer is visited after its last entry. */
  lingerMs: number;
  memoryBytes: number;
}

/** What the process reports whenever it gets a message. */
export interface LaneReport {
  /** How many idle consumers the leader watches. */
  watched: number;
  visiting: number;
  /** How many visits have begun. */
  visits: number;
  /** How many consumers would have been handed over to their workflows, which do not exist here. */
  handedOver: number;
  rssMb: number;
}

const LOOPBACK = ['127.0.0.0/8', '::1/128'];
const CONNECTIONS = { connections: 1_000, eager: 64 };

const { databaseUrl: url, key, lanes, lingerMs, memoryBytes } = settingsOf() as LaneSettings;
const log = pino({ level: 'warn' }, pino.destination(2));
const db = openDb({ url, onError: (error) => log.warn({ err: error }, 'Postgres') });
const vault = createVault([{ id: 'bench', key: Buffer.from(key, 'base64') }]);
const listener = createListener({ url, log });
const egress = createEgress({ allowCidrs: LOOPBACK });
const out = { userAgent: 'Millrace/bench', now: Date.now };
const shared = createSharedOutlets({ egress, ...CONNECTIONS });
const holder = randomUUID();
let handedOver = 0;

/** A part that only drains need, which do not exist here. */
function notHere(): never {
  throw new Error('only lanes of visits send here');
}

const drains = createDrains({
  db,
  vault,
  listener,
  log,
  holder,
  openSender: createOpenSender({ ...out, egress }),
  visits: {
    openSender: createOpenSender({ ...out, egress: { ...egress, open: shared.open } }),
    region: 'bench',
    handOver: () => {
      handedOver += 1;
    },
  },
  idleAfterMs: 60_000,
  lingerMs,
  memoryBytes,
  now: Date.now,
  retryWindowMs: 86_400_000,
  slots: 200,
  reportHead: notHere,
  faults: { note: notHere, clear: notHere },
  mailWaits: () => undefined,
});
const wake = startWake({
  store: createLeaderStore(db, 'visit'),
  visits: true,
  pages: createPages(db),
  listener,
  holder,
  signal: () => Promise.resolve(),
  queue: createPacedQueue({ isRefusal: () => false, log }),
  pollMs: 1_000,
  log,
});
const open = Array.from({ length: lanes }, (_, lane) => drains.deps.openLane(lane));

process.on('message', () => void report(reading()));
process.once('SIGTERM', () => process.exit(0)); // so that Node writes a profile
await report(reading());

function reading(): LaneReport {
  const sum = (of: 'visiting' | 'visits'): number =>
    open.reduce((total, lane) => total + lane.reading[of], 0);
  const rssMb = process.memoryUsage().rss / 2 ** 20;
  const { watched } = wake;
  return { watched, visiting: sum('visiting'), visits: sum('visits'), handedOver, rssMb };
}
