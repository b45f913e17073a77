import type { StreamName } from '../schema/stream.ts';
import type { Row } from './demoData.ts';
import type { Step } from './demoPlan.ts';

/** One state of one record, as one of the streams shows it. */
interface Version {
  step: number;
  /** It `must` come, `may` come (a later version can replace it before its turn), or is `filtered` out. */
  wanted: 'must' | 'may' | 'filtered';
  seen: boolean;
}

/** The versions of one record in order, by the fingerprint of the webhook for each. */
type History = Map<string, Version & { order: number }>;

/** What came, compared to what had to come. */
export interface Counts {
  /** Everything that must come, and the versions that came although they did not have to. */
  expected: number;
  delivered: number;
  /** Webhooks that were signed and matched the data file exactly. */
  verified: number;
  duplicates: number;
  missing: number;
  out_of_order: number;
}

/** Checks webhooks against what has to come. */
export interface Expectation {
  /** Checks a webhook with a valid signature; returns why it should not have come like this, or null. */
  check(stream: StreamName, body: unknown): string | null;
  /** Counts a webhook without a valid signature. */
  refuse(): void;
  /** How many webhooks of the steps up to this one are still missing. */
  remaining(step: number): number;
  /** How many webhooks this step must bring. */
  total(step: number): number;
  /** How many entries of this step the filter leaves out. */
  filtered(step: number): number;
  counts(): Counts;
  /** How many versions on the records stream were replaced before their turn, and never sent. */
  superseded(): number;
}

/**
 * Works out what two consumers have to get, from the data alone: on the events stream each change that
 * passes the filter, in order per record; on the records stream the last version of each record in each
 * step, and earlier versions only before it.
 */
export function createExpectation(steps: Step[]): Expectation {
  const histories = planHistories(steps);
  const newest = new Map<History, number>();
  const totals = steps.map(() => 0);
  const filtered = steps.map(() => 0);
  const seen = steps.map(() => 0);
  const counts = { delivered: 0, verified: 0, duplicates: 0, out_of_order: 0 };
  let early = 0; // versions that came although they did not have to
  for (const version of all(histories)) {
    if (version.wanted === 'must') totals[version.step]! += 1;
    if (version.wanted === 'filtered') filtered[version.step]! += 1;
  }

  function check(stream: StreamName, body: unknown): string | null {
    counts.delivered += 1;
    const [key, fingerprint] = read(stream, body);
    const history = histories[stream].get(key);
    const version = history?.get(fingerprint);
    if (history === undefined || version === undefined) return 'is not in the data file';
    if (version.wanted === 'filtered') return 'the filter leaves it out';
    if (version.seen) {
      counts.duplicates += 1;
      return 'arrived before';
    }
    version.seen = true;
    if (version.wanted === 'must') seen[version.step]! += 1;
    else early += 1;
    counts.verified += 1;
    const behind = version.order < (newest.get(history) ?? -1);
    if (behind) counts.out_of_order += 1;
    else newest.set(history, version.order);
    return behind ? 'arrived after a later change of its record' : null;
  }

  function remaining(step: number): number {
    return sum(totals.slice(0, step + 1)) - sum(seen.slice(0, step + 1));
  }

  return {
    check,
    refuse: () => void (counts.delivered += 1),
    remaining,
    total: (step) => totals[step] ?? 0,
    filtered: (step) => filtered[step] ?? 0,
    counts: () => ({
      expected: sum(totals) + early,
      delivered: counts.delivered,
      verified: counts.verified,
      duplicates: counts.duplicates,
      missing: remaining(steps.length - 1),
      out_of_order: counts.out_of_order,
    }),
    superseded: () =>
      all(histories).filter((version) => version.wanted === 'may' && !version.seen).length,
  };
}

type Histories = Record<StreamName, Map<string, History>>;

function planHistories(steps: Step[]): Histories {
  const histories: Histories = { events: new Map(), records: new Map() };
  const states = new Map<string, { data: Row; deleted: boolean }>();
  const hidden = new Set<string>();
  const last = new Map<string, Version>(); // the newest version of each record in this step

  for (const [step, { filter, appends }] of steps.entries()) {
    if (filter?.signal === 'removeCollections') hidden.add(filter.collection);
    if (filter?.signal === 'addCollections') hidden.delete(filter.collection);
    last.clear();
    for (const change of appends.flat()) {
      const key = keyOf(change);
      const before = states.get(key);
      const data = change.data ?? before?.data ?? {};
      const deleted = change.deleted === true;
      states.set(key, { data, deleted });

      const isNew = before === undefined || before.deleted;
      const event = deleted ? 'deleted' : isNew ? 'created' : 'updated';
      const changes = event === 'updated' ? previousValues(before?.data ?? {}, data) : null;
      const wanted = hidden.has(change.collection_id) ? 'filtered' : 'must';
      add(histories.events, key, print([event, data, changes]), { step, wanted, seen: false });

      const superseded = last.get(key);
      if (superseded !== undefined) superseded.wanted = 'may';
      const version = add(histories.records, key, print([deleted, data]), {
        step,
        wanted: 'must',
        seen: false,
      });
      last.set(key, version);
    }
  }
  return histories;
}

function add(
  histories: Map<string, History>,
  key: string,
  fingerprint: string,
  version: Version,
): Version {
  const history = histories.get(key) ?? new Map();
  histories.set(key, history);
  if (history.has(fingerprint))
    throw new Error(`the data file has the same version of ${key} twice`);
  const placed = { ...version, order: history.size };
  history.set(fingerprint, placed);
  return placed;
}

/** The previous values of the fields that changed; null for new fields. */
function previousValues(before: Row, after: Row): Record<string, unknown> {
  const names = new Set([...Object.keys(before), ...Object.keys(after)]);
  return Object.fromEntries(
    [...names]
      .filter((name) => before[name] !== after[name])
      .map((name) => [name, before[name] ?? null]),
  );
}

/** The record that a webhook is about, and a fingerprint of what it says about the record. */
function read(stream: StreamName, body: unknown): [key: string, fingerprint: string] {
  const wrapped = body as { event?: Fields; record?: Fields };
  const fields = (stream === 'events' ? wrapped.event : wrapped.record) ?? {};
  const said =
    stream === 'events'
      ? [fields['event'], fields['data'], fields['changes']]
      : [fields['deleted'], fields['data']];
  return [keyOf(fields), print(said)];
}

type Fields = Record<string, unknown>;

function keyOf(fields: { collection_id?: unknown; upstream_id?: unknown }): string {
  return `${String(fields.collection_id)} ${String(fields.upstream_id)}`;
}

/** Prints equal values as equal text, regardless of the order of fields. Objects here are flat. */
function print(values: unknown[]): string {
  return JSON.stringify(
    values.map((value) =>
      typeof value === 'object' && value !== null
        ? Object.entries(value).sort(([a], [b]) => (a < b ? -1 : 1))
        : value,
    ),
  );
}

function all(histories: Histories): Version[] {
  return Object.values(histories).flatMap((records) =>
    [...records.values()].flatMap((history) => [...history.values()]),
  );
}

function sum(numbers: number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
