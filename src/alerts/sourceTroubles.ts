import { inWords, sizeInWords } from '../rules/words.ts';
import type { SourceAlertKind } from '../schema/alert.ts';
import type { SourceStatus } from '../schema/source.ts';

/** What may be wrong with a source: the kinds of its alerts apart from the one that it is over. */
export type TroubleKind = Exclude<SourceAlertKind, 'source-recovered'>;

/** A source as it stands; times are unix ms by the clock of Postgres. */
export interface SourceState {
  now: number;
  status: SourceStatus;
  statusReason: string | null;
  statusSince: number;
  interruption: string | null;
  interruptedSince: number | null;
  /** Until when a worker holds its lease; null when none does. */
  leaseUntil: number | null;
  lagBytes: number | null;
  limitBytes: number | null;
  measuredAt: number | null;
  lastChangeAt: number | null;
  expectWithinMs: number | null;
  /** The tables that ask, each with what they ask in words. */
  asking: readonly { table: string; detail: string | null }[];
}

/** A trouble of which people have been told and that has not ended since. */
export interface Episode {
  kind: TroubleKind;
  /** What of it has been told. */
  points: readonly string[];
  /** As it was told, unix ms. */
  since: number;
}

/** A trouble of which people are to be told. */
export interface Trouble {
  kind: TroubleKind;
  /** All that is told of with this alert, or was before and still holds. */
  points: string[];
  /** A sentence without its capital and its full stop. */
  reason: string;
  /** Since when it is so, unix ms. */
  since: number;
  tables: string[];
}

/** What follows from how a source stands and from what people have been told of it. */
export interface SourceVerdict {
  tell: Trouble[];
  /** Episodes that last, of which less is true than was told. */
  lessen: { kind: TroubleKind; points: string[] }[];
  /** Episodes that have ended; `recovered` is what people are to be told of it, null for nothing. */
  end: { kind: TroubleKind; recovered: string | null }[];
}

const GIGABYTE = 2 ** 30;
/** Told again only after it was below this share of the amount that is told of. */
const OVER_AT = 0.5;
const MINUTE = 60_000;
/** Shorter interruptions pass by themselves: a restart, a failover, an upgrade of the workers. */
const INTERRUPTED_MS = 15 * MINUTE;
/** The lag is measured every few seconds while the source is followed; what is older is not known any more. */
const MEASURED_MS = MINUTE;
const PAUSED_MS = 24 * 60 * MINUTE;

/**
 * Decides what people are told of a source: each trouble once as long as it lasts, again when there is more of it, and
 * that it is over where that comes by itself. What can't be known at the moment stays as it was told.
 */
export function judgeSource(state: SourceState, episodes: readonly Episode[]): SourceVerdict {
  const verdict: SourceVerdict = { tell: [], lessen: [], end: [] };
  for (const kind of Object.keys(STANDS) as TroubleKind[]) {
    const episode = episodes.find((one) => one.kind === kind);
    const told = episode?.points ?? [];
    const { points, ...words } = STANDS[kind](state, told);
    if (points.some((point) => !told.includes(point)))
      verdict.tell.push({ kind, points, ...words });
    else if (points.length > 0 && points.length < told.length)
      verdict.lessen.push({ kind, points });
    else if (points.length === 0 && episode !== undefined)
      verdict.end.push({ kind, recovered: RECOVERED[kind](state, episode) });
  }
  return verdict;
}

type Standing = Omit<Trouble, 'kind'>;

const STANDS: Record<TroubleKind, (state: SourceState, told: readonly string[]) => Standing> = {
  'source-failed': failed,
  'source-interrupted': interrupted,
  'source-behind': behind,
  'source-silent': silent,
  'source-asking': asking,
};

function failed({ status, statusReason, statusSince }: SourceState): Standing {
  return {
    points: status === 'failed' ? [new Date(statusSince).toISOString()] : [],
    reason: sentence(statusReason ?? 'the log of the worker says why'),
    since: statusSince,
    tables: [],
  };
}

/** Nobody follows it, although somebody should, or a deletion does not get through. */
function interrupted(state: SourceState): Standing {
  const { now, status, interruption, interruptedSince, leaseUntil, measuredAt } = state;
  const followed = Math.max(state.statusSince, leaseUntil ?? 0, measuredAt ?? 0);
  const since =
    interruption === null ? followed : Math.max(state.statusSince, interruptedSince ?? 0);
  const isWanted = status === 'active' || status === 'deleting';
  const why = interruption === null ? 'no worker takes it' : sentence(interruption);
  return {
    points: isWanted && now - since >= INTERRUPTED_MS ? ['interrupted'] : [],
    reason: status === 'deleting' ? `its slot can't be dropped: ${why}` : why,
    since,
    tables: [],
  };
}

/** The log of its database grows because of it. */
function behind(state: SourceState, told: readonly string[]): Standing {
  const { now, status, statusSince, lagBytes, limitBytes } = state;
  const isPaused = status === 'paused' && now - statusSince >= PAUSED_MS;
  const isKnown = status !== 'paused' && isMeasured(state);
  const before = status === 'paused' ? told.filter((one) => one !== 'paused') : told;
  const points = isKnown ? lagPoints(state, told) : [...before];
  const lag = `${sizeInWords(lagBytes ?? 0)} of the log of its database are not stored yet`;
  const limit = limitBytes === null ? '' : `; at ${sizeInWords(limitBytes)} its slot is lost`;
  const paused = `it has been paused for ${inWords(now - statusSince)}, and its database keeps the log for it`;
  return {
    points: isPaused ? [...points, 'paused'] : points,
    reason: isPaused ? paused : `${lag}${limit}`,
    since: isPaused ? statusSince : (state.measuredAt ?? now),
    tables: [],
  };
}

/** Half of the limit includes the gigabyte, so that of two mails the more urgent one is never the first. */
function lagPoints({ lagBytes, limitBytes }: SourceState, told: readonly string[]): string[] {
  const lag = lagBytes ?? 0;
  const reaches = (point: string, amount: number): boolean =>
    lag >= amount * (told.includes(point) ? OVER_AT : 1);
  if (limitBytes !== null && reaches('half of the limit', limitBytes / 2)) {
    return ['gigabyte', 'half of the limit'];
  }
  return reaches('gigabyte', GIGABYTE) ? ['gigabyte'] : [];
}

function silent({ now, status, ...state }: SourceState): Standing {
  const { expectWithinMs } = state;
  const since = Math.max(state.lastChangeAt ?? 0, state.statusSince);
  const isExpected = status === 'active' && expectWithinMs !== null;
  return {
    points: isExpected && now - since >= expectWithinMs ? ['silent'] : [],
    reason: `nothing has changed in its tables for ${inWords(now - since)}`,
    since,
    tables: [],
  };
}

function asking({ now, status, asking: tables }: SourceState): Standing {
  const names = status === 'deleting' ? [] : tables.map(({ table }) => table);
  const [first] = tables;
  const many = `${tables.length} of its tables have to be confirmed: ${names.join(', ')}`;
  const one = `${first?.table}: ${sentence(first?.detail ?? 'reading it anew would delete many records')}`;
  return { points: names, reason: tables.length === 1 ? one : many, since: now, tables: names };
}

/** What people are told when a trouble has ended; what someone has to end, that person knows. */
const RECOVERED: Record<TroubleKind, (state: SourceState, episode: Episode) => string | null> = {
  'source-failed': () => null,
  'source-interrupted': (state) =>
    state.status === 'active' && isMeasured(state) ? 'it is followed again' : null,
  'source-behind': (state) =>
    state.status === 'active' && isMeasured(state)
      ? `only ${sizeInWords(state.lagBytes ?? 0)} of the log of its database are not stored now`
      : null,
  'source-silent': ({ status, lastChangeAt }, { since }) =>
    status === 'active' && (lastChangeAt ?? 0) > since ? 'its tables have changed again' : null,
  'source-asking': () => null,
};

function isMeasured({ now, measuredAt }: SourceState): boolean {
  return measuredAt !== null && now - measuredAt < MEASURED_MS;
}

/** Words of others as a part of a sentence. */
function sentence(text: string): string {
  return text
    .trim()
    .replaceAll(/\s*\n\s*/gu, ' ')
    .replace(/\.$/u, '');
}
