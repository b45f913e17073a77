import type { AlertKind } from '../schema/alert.ts';
import type { EventType, StreamName } from '../schema/stream.ts';
import { ALERT_KINDS } from './alerts/kinds.ts';
import { filterSearch, type AttemptFilter } from './consumers/attemptFilter.ts';
import { RANGE_NAMES, type Range } from './ranges.ts';
import { onlyGiven, textOf, wordOf } from './search.ts';
import { EVENT_TYPES } from './streams/eventTypes.ts';
import { STARTS, type Start } from './streams/starts.ts';

// What the addresses of pages say that are loaded when they are opened: it is read before.

const SETTINGS_TABS = ['general', 'keys', 'changes'] as const;
const SOURCE_TABS = ['tables', 'problems', 'settings'] as const;
const LETTERS = ['consumer', 'code', 'status', 'record', 'letter'] as const;

export interface SettingsSearch {
  tab?: (typeof SETTINGS_TABS)[number] | undefined;
  consumer?: string | undefined;
}

export function settingsSearch(search: Record<string, unknown>): SettingsSearch {
  return { tab: wordOf(search, 'tab', SETTINGS_TABS), consumer: textOf(search, 'consumer') };
}

export type SourceTab = (typeof SOURCE_TABS)[number];

export interface SourceSearch {
  tab?: SourceTab;
}

export function sourceSearch(search: Record<string, unknown>): SourceSearch {
  const tab = wordOf(search, 'tab', SOURCE_TABS);
  return tab === undefined ? {} : { tab };
}

export type DeadLettersSearch = Partial<Record<(typeof LETTERS)[number], string | undefined>>;

export function deadLettersSearch(search: Record<string, unknown>): DeadLettersSearch {
  return Object.fromEntries(LETTERS.map((name) => [name, textOf(search, name)]));
}

export interface ConsumerNewSearch {
  target?: string;
  step?: string;
  /** The consumer that is duplicated. */
  like?: string;
}

export function consumerNewSearch(search: Record<string, unknown>): ConsumerNewSearch {
  const found = {
    target: textOf(search, 'target'),
    step: textOf(search, 'step'),
    like: textOf(search, 'like'),
  };
  return onlyGiven(found);
}

const CONSUMER_TABS = [
  'deliveries',
  'parked',
  'dead-letters',
  'filter',
  'settings',
  'changes',
] as const;

/** The record of the filter finds dead letters as well. */
export interface ConsumerSearch extends AttemptFilter {
  tab?: (typeof CONSUMER_TABS)[number];
  range?: Range;
  delivery?: string;
  /** The group of dead letters: its code, and the status that was answered. */
  code?: string;
  answer?: string;
  letter?: string;
}

export function consumerSearch(search: Record<string, unknown>): ConsumerSearch {
  const found = {
    tab: wordOf(search, 'tab', CONSUMER_TABS),
    range: wordOf(search, 'range', RANGE_NAMES),
    ...filterSearch(search),
    delivery: textOf(search, 'delivery'),
    code: textOf(search, 'code'),
    answer: textOf(search, 'answer'),
    letter: textOf(search, 'letter'),
  };
  return onlyGiven(found);
}

export interface StreamsSearch {
  stream?: StreamName | undefined;
  sync?: string | undefined;
  provider?: string | undefined;
  collection?: string | undefined;
  event?: EventType | undefined;
  from?: Start | undefined;
  live?: '1' | undefined;
  /** The id of the event that is open. */
  entry?: string | undefined;
  /** The id of the record's version that is open, and the cursor after which it is read. */
  record?: string | undefined;
  at?: string | undefined;
}

export function streamsSearch(search: Record<string, unknown>): StreamsSearch {
  return {
    stream: wordOf(search, 'stream', ['events', 'records'] as const),
    sync: textOf(search, 'sync'),
    provider: textOf(search, 'provider'),
    collection: textOf(search, 'collection'),
    event: wordOf(search, 'event', EVENT_TYPES),
    from: wordOf(search, 'from', STARTS),
    live: wordOf(search, 'live', ['1'] as const),
    entry: textOf(search, 'entry'),
    record: textOf(search, 'record'),
    at: textOf(search, 'at'),
  };
}

export function targetNewSearch(search: Record<string, unknown>) {
  const url = textOf(search, 'url');
  const name = textOf(search, 'name');
  return { ...(url !== undefined && { url }), ...(name !== undefined && { name }) };
}

const TARGET_TABS = ['deliveries', 'consumers', 'verify', 'settings'] as const;

export interface TargetSearch extends AttemptFilter {
  tab?: (typeof TARGET_TABS)[number];
  range?: Range;
  /** The id of the attempt that is open. */
  delivery?: string;
}

export function targetSearch(search: Record<string, unknown>): TargetSearch {
  const found = {
    tab: wordOf(search, 'tab', TARGET_TABS),
    range: wordOf(search, 'range', RANGE_NAMES),
    ...filterSearch(search),
    delivery: textOf(search, 'delivery'),
  };
  return onlyGiven(found);
}

export interface AlertsSearch {
  kind?: AlertKind | undefined;
  consumer?: string | undefined;
  source?: string | undefined;
}

export function alertsSearch(search: Record<string, unknown>): AlertsSearch {
  return {
    kind: wordOf(search, 'kind', ALERT_KINDS),
    consumer: textOf(search, 'consumer'),
    source: textOf(search, 'source'),
  };
}
