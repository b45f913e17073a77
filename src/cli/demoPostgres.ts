import { setTimeout as wait } from 'node:timers/promises';

import type { Stack } from '../embedded/stack.ts';
import { createDemoApi } from './demoApi.ts';
import { readDemoData } from './demoData.ts';
import { openMirror, type Mirror, type Told } from './demoMirror.ts';
import { pageOf, since, workflowPage } from './demoPlay.ts';
import { count, type Screen, type WhenDone } from './demoScreen.ts';
import { ACTS, LIVE, openShop, OWN, type Shop } from './demoShop.ts';

/** What the demo of a Postgres works with. */
export interface PostgresShow {
  stack: Stack;
  screen: Screen;
  once: boolean;
  signal: AbortSignal;
  whenDone: WhenDone;
}

/** What came of it; nothing is missing or different when all is well. */
export interface PostgresReport {
  expected: number;
  delivered: number;
  verified: number;
  duplicates: number;
  missing: number;
  /** Rows in which what the receiver has built differs from the tables. */
  different: number;
}

/** So many changes of a step are shown. */
const SHOWN = 4;
const LIVE_CHANGES = 60;
const LIVE_EVERY_MS = 50;
/**
 * Follows the tables of a second Postgres, which knows nothing of Millrace, and has a receiver build the same tables
 * from the webhooks alone; compares them at the end. Nothing but the API is used. Resolves with whether all was well.
 */
export async function performPostgres(show: PostgresShow): Promise<boolean> {
  const { stack, screen, signal, whenDone } = show;
  const data = await readDemoData();
  const lines = createLines(screen);
  await using shop = await openShop({ dataDir: stack.dataDir, data, say: screen.say });
  await using mirror = await openMirror({ onTold: lines.add, signal });
  const { size } = await shop.rows();
  screen.say(
    `A second Postgres, which knows nothing of Millrace: ${count(size)} rows in ${shop.tables.join(' and ')}`,
  );
  screen.say(`Receiver: ${mirror.url}, which builds tables of its own from the webhooks alone`);
  const play = { ...show, shop, mirror, lines };

  const ids = await readAll(play, size);
  let expected = size;
  for (const [nth, act] of ACTS.entries()) {
    screen.head(`${nth + 2}. ${act.title}`);
    for (const statement of act.statements) screen.say(`   ${statement}`);
    lines.begin(performance.now());
    expected += (await shop.run(...act.statements)) + (act.twice ?? 0);
    await mirror.arrived(expected);
    screen.say('     all webhooks have arrived');
  }
  screen.head(`${ACTS.length + 2}. ${LIVE_CHANGES} changes, one every ${LIVE_EVERY_MS} ms`);
  const sent: number[] = [];
  lines.begin(null);
  for (let n = 0; n < LIVE_CHANGES; n += 1) {
    await wait(LIVE_EVERY_MS, undefined, { signal });
    sent.push(performance.now());
    expected += await shop.run(LIVE);
  }
  await mirror.arrived(expected);
  const after = lines.times().map((at, nth) => at - (sent[nth] ?? at));

  const report = await compare(play, expected);
  summarize(report, after, screen);
  showAddresses(play, ids);
  await whenDone(report, [
    'It stays up. Change a row yourself, and see the webhook arrive here:',
    `   psql '${shop.url}' -c "${OWN}"`,
  ]);
  return report.missing + report.different + report.duplicates === 0 && isAllVerified(report);
}

interface Play extends PostgresShow {
  shop: Shop;
  mirror: Mirror;
  lines: Lines;
}

interface Ids {
  source: string;
  consumer: string;
}

/** Creates the source and a consumer of its changes, and waits until a webhook has come for every row. */
async function readAll(play: Play, size: number): Promise<Ids> {
  const { stack, screen, signal, shop, mirror, lines } = play;
  screen.head('1. A source and a consumer are created, and every row is read');
  const api = createDemoApi({ url: stack.url, apiKey: stack.apiKey, signal });
  const target = await api.createTarget({ name: 'Mirror', base_url: mirror.url });
  mirror.trust(target.signing_secret);
  lines.begin(null);
  const began = performance.now();
  const { url, tables } = shop;
  const source = await api.createSource({ kind: 'postgres', name: 'Shop', url, tables });
  const consumer = await api.createConsumer({
    name: 'Every change of the shop',
    target_id: target.id,
    stream: 'events',
    start: 'beginning',
    collections: source.tables.map(({ collection_id }) => collection_id),
  });
  await mirror.arrived(size);
  screen.say(`     ${count(size)} rows have arrived after ${since(began)} s, each signed`);
  return { source: source.id, consumer };
}

async function compare({ shop, mirror }: Play, expected: number): Promise<PostgresReport> {
  const { delivered, verified, duplicates } = mirror.counts;
  const missing = Math.max(0, expected - (verified - duplicates));
  const different = mirror.differences(await shop.rows());
  return { expected, delivered, verified, duplicates, missing, different };
}

function isAllVerified({ expected, delivered, verified }: PostgresReport): boolean {
  return verified === delivered && delivered === expected;
}

function summarize(report: PostgresReport, after: readonly number[], screen: Screen): void {
  const rows: [string, number, string][] = [
    ['delivered', report.delivered, `of ${count(report.expected)} expected`],
    ['verified', report.verified, 'signed'],
    ['missing', report.missing, ''],
    ['duplicates', report.duplicates, ''],
    ['different', report.different, 'rows, of the tables that the receiver has built'],
  ];
  screen.head('Summary');
  for (const [what, number, why] of rows) {
    screen.say(`   ${what.padEnd(13)}${count(number).padStart(7)}  ${why}`.trimEnd());
  }
  const sorted = after.toSorted((a, b) => a - b);
  const median = sorted[Math.floor(sorted.length / 2)] ?? 0;
  screen.say(
    `   A live change reached the receiver ${median.toFixed(1)} ms after its statement (median)`,
  );
}

function showAddresses({ stack, screen, once }: Play, { source, consumer }: Ids): void {
  screen.head(once ? 'It ran at' : 'Addresses');
  const rows = [
    ['API', stack.url],
    ['source', workflowPage(stack, `source/${source}`)],
    ['consumer', pageOf(stack, consumer)],
  ];
  for (const [what = '', where] of rows) screen.say(`   ${what.padEnd(13)}${where}`);
}

/** The lines of the changes that arrive: the first few of each step. */
interface Lines {
  /** A step begins; `at` is when its statements are sent, monotonic ms, null where no time is shown. */
  begin(at: number | null): void;
  add(told: Told): void;
  /** When the changes of this step have come. */
  times(): number[];
}

function createLines(screen: Screen): Lines {
  let from: number | null = null;
  let times: number[] = [];
  return {
    begin: (at) => {
      from = at;
      times = [];
    },
    add: ({ what, collection, id, at }) => {
      times.push(at);
      if (times.length > SHOWN) return;
      const after = from === null ? '' : `  ${(at - from).toFixed(1)} ms after the statement`;
      screen.say(`   ✓ ${what.padEnd(8)} ${collection} ${id}${after}`);
    },
    times: () => times,
  };
}
