import { performance } from 'node:perf_hooks';

import { percentilesOf } from '../../test/support/percentiles.ts';
import type { Figure } from './figures.ts';
import type { Installation } from './installation.ts';
import type { Scene } from './scene.ts';

/** The goal for a page and for each request that it makes, ms. */
export const ANSWER_MS = 300;
const READS = 20;

/** A request to the API: its name here, its path, and the body if it is a POST. */
type Read = [name: string, path: string, body?: object];

/** The ranges of charts as the console requests them: the name of the range, and the step in seconds. */
const RANGES = { '1h': 60, '6h': 120, '24h': 300, '7d': 1_800 };

const consumersOf = ({ shared }: Scene): Read[] => [
  ['consumers', '/v1/consumers'],
  ['consumers, 1,000 of them', '/v1/consumers?limit=1000'],
  ...['active', 'paused', 'blocked', 'stopped'].map((status): Read => [
    `consumers, ${status}`,
    `/v1/consumers?status=${status}`,
  ]),
  ...['parked', 'dead_letters', 'cannot_start'].map((has): Read => [
    `consumers with ${has}`,
    `/v1/consumers?has=${has}`,
  ]),
  ['consumers by a name', '/v1/consumers?q=consumer-5000'],
  ["consumers by their target's name", '/v1/consumers?q=shop-12'],
  ['consumers by a text that none has', '/v1/consumers?q=nobody-has-it'],
  ['consumers of a target', `/v1/consumers?target_id=${shared}&limit=50`],
  ['consumers of a target, blocked', `/v1/consumers?target_id=${shared}&status=blocked&limit=1000`],
];

function consumerOf({ busy, event }: Scene): Read[] {
  const one = `/v1/consumers/${busy}`;
  const attempts = `${one}/attempts?limit=100`;
  const [begin, end] = [ago(3.1), ago(3)];
  return [
    ['consumer', one],
    ['consumer, deliveries of its row in a list', `${one}/metrics?since=30m&step=60`],
    ...chartsOf(
      'consumer, charts of',
      (since, step) => `${one}/metrics?since=${since}&step=${step}`,
    ),
    ['consumer, attempts', attempts],
    ['consumer, failed attempts', `${attempts}&outcome=failed`],
    ['consumer, delivered attempts', `${attempts}&outcome=delivered`],
    ['consumer, attempts by a status', `${attempts}&status=204`],
    ['consumer, attempts by a status that none has', `${attempts}&status=404`],
    ['consumer, attempts at a record', `${attempts}&upstream_id=r-77`],
    ['consumer, attempts at a record that is none', `${attempts}&upstream_id=nobody`],
    ['consumer, attempts at an event', `${attempts}&event_id=${event}`],
    ['consumer, attempts since a time', `${attempts}&since=1h`],
    ['consumer, attempts between two times', `${attempts}&since=${begin}&until=${end}`],
    [
      'consumer, the trace of an attempt',
      `${one}/attempts?since=${begin}&until=${ago(3.0999997)}&include=trace&limit=1000`,
    ],
    ['consumer, its last delivery', `${one}/attempts?outcome=delivered&limit=1`],
    ['consumer, parked', `${one}/parked?limit=100`],
    ['consumer, dead letters', `${one}/dead-letters?limit=100`],
    ['consumer, dead letters of a code', `${one}/dead-letters?limit=100&code=HTTP_4XX`],
    ['consumer, dead letters of a record', `${one}/dead-letters?limit=100&upstream_id=r-77`],
    ['consumer, groups of dead letters', `${one}/dead-letters/groups`],
    ['consumer, changes', `/v1/changes?consumer_id=${busy}&limit=100`],
    ['consumer, alerts', `${one}/alerts?limit=100`],
    ['consumer, alerts of a kind', `${one}/alerts?limit=100&kind=gone`],
  ];
}

function targetOf({ shared, own, lone, event }: Scene): Read[] {
  const one = `/v1/targets/${shared}`;
  const attempts = `${one}/attempts?limit=100`;
  return [
    ['targets', '/v1/targets'],
    ['target', one],
    ['target, troubles', `/v1/troubles?target_id=${shared}`],
    ...chartsOf('target, charts of', (range) => `${one}/metrics?range=${range}`),
    ['target, attempts', attempts],
    ['target, failed attempts', `${attempts}&outcome=failed`],
    ['target, delivered attempts', `${attempts}&outcome=delivered`],
    ['target, attempts by a status that none has', `${attempts}&status=404`],
    ['target, attempts at a record', `${attempts}&upstream_id=r-77`],
    ['target, attempts at an event', `${attempts}&event_id=${event}`],
    ['target of one consumer', `/v1/targets/${own}`],
    ['target of one consumer, charts of 7d', `/v1/targets/${own}/metrics?range=7d`],
    ['target of one consumer, attempts', `/v1/targets/${own}/attempts?limit=100`],
    [
      'target of one consumer, failed attempts',
      `/v1/targets/${own}/attempts?limit=100&outcome=failed`,
    ],
    [
      'consumer of that target, its last delivery',
      `/v1/consumers/${lone}/attempts?outcome=delivered&limit=1`,
    ],
  ];
}

const overviewOf = (): Read[] => [
  ...chartsOf('overview of', (range) => `/v1/overview?range=${range}`),
  ['troubles', '/v1/troubles'],
  ['status', '/v1/status'],
  ['last alerts', '/v1/alerts?limit=5'],
  ['last changes', '/v1/changes?limit=5'],
  ['alerts', '/v1/alerts?limit=100'],
  ['alerts of a kind', '/v1/alerts?limit=100&kind=gone'],
  ['changes', '/v1/changes?limit=100'],
];

const searchOf = ({ event, version, lone }: Scene): Read[] => [
  ['search by a record', '/v1/search?q=r-77'],
  ['search by an event id', `/v1/search?q=${event}`],
  ['search by a webhook-id of a record', `/v1/search?q=${version}`],
  ['search by a name', '/v1/search?q=consumer-77'],
  ['search by what all names begin with', '/v1/search?q=bench'],
  ['search by the beginning of an id', `/v1/search?q=${lone.slice(0, 13)}`],
  ['search by a sync', '/v1/search?q=tenant-47'],
  ['search by what nothing has', '/v1/search?q=nothing-has-it'],
];

function streamsOf({ event }: Scene, cursor: Record<'events' | 'records', string>): Read[] {
  const of = (stream: 'events' | 'records'): Read[] => {
    const page = `/v1/${stream}?limit=100&after_cursor=${cursor[stream]}`;
    return [
      [`${stream} from the beginning`, `/v1/${stream}?limit=100`],
      [`${stream}, further on`, page],
      [`${stream} of a sync`, `${page}&sync_id=sync-7`],
      [`${stream} of a provider`, `${page}&provider=bench`],
      [`${stream} of a provider that is none`, `${page}&provider=nobody`],
      [`${stream} of a collection that is none`, `${page}&collection_id=nobody:item`],
      [
        `${stream} of a sync and a collection that is none`,
        `${page}&sync_id=sync-7&collection_id=nobody:item`,
      ],
    ];
  };
  return [
    ...of('events'),
    ...of('records'),
    [
      'events of a type that none has',
      `/v1/events?limit=100&after_cursor=${cursor.events}&event=deleted`,
    ],
    ['event', `/v1/events/${event}`],
    ['attempts at an event, of all consumers', `/v1/attempts?event_id=${event}&limit=50`],
    ['syncs, 1,000 of them', '/v1/syncs?limit=1000'],
    ['collections, 1,000 of them', '/v1/collections?limit=1000'],
    ['collections of a sync', '/v1/collections?limit=1000&sync_id=sync-7'],
    [
      'preview of a filter',
      '/v1/consumers/preview',
      { stream: 'events', syncs: ['sync-7'], collections: ['*'], event_types: ['*'], last: 10_000 },
    ],
  ];
}

/** Makes each request to the API that pages of the console make, several times, one after another. */
export async function timeReads(installation: Installation, scene: Scene): Promise<Figure[]> {
  const { cursor: events } = await installation.api<{ cursor: string }>(
    'GET',
    '/v1/events?limit=1000',
  );
  const { cursor: records } = await installation.api<{ cursor: string }>(
    'GET',
    '/v1/records?limit=1000',
  );
  const reads = [
    ...overviewOf(),
    ...consumersOf(scene),
    ...consumerOf(scene),
    ...targetOf(scene),
    ...searchOf(scene),
    ...streamsOf(scene, { events, records }),
  ];
  const figures: Figure[] = [];
  for (const read of reads) figures.push(await timed(installation, read));
  return figures;
}

async function timed(installation: Installation, [name, path, body]: Read): Promise<Figure> {
  const times: number[] = [];
  for (let count = 0; count <= READS; count += 1) {
    const from = performance.now();
    await installation.api(body === undefined ? 'GET' : 'POST', path, body);
    times.push(performance.now() - from);
  }
  const { p50, p95 } = percentilesOf(times.slice(1)); // the first one warms up
  return {
    name: `${name}, p95`,
    value: p95,
    unit: 'ms',
    goal: { most: ANSWER_MS },
    note: `p50 ${p50.toFixed(1)}, first ${times[0]?.toFixed(0)}`,
  };
}

function chartsOf(name: string, path: (range: string, step: number) => string): Read[] {
  return Object.entries(RANGES).map(([range, step]) => [`${name} ${range}`, path(range, step)]);
}

/** The time so many hours ago, RFC 3339. */
function ago(hours: number): string {
  return new Date(Date.now() - hours * 3_600_000).toISOString();
}
