import { setImmediate } from 'node:timers/promises';

import { compile, whereOf } from '../rules/filter.ts';
import { inForce, type FilterVersion } from '../rules/filterVersions.ts';
import { recordOf } from '../rules/ordering.ts';
import { compileWhere, isSatisfied } from '../rules/where.ts';
import type { Filter } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Entry } from '../streams/entry.ts';
import type { Pages } from '../streams/pages.ts';

/** Small, because many consumers are tried at the same time, and the first entry is nearly always the head. */
const PAGE = { limit: 100, maxBytes: 256 * 1024, scanRows: 50_000 };
/** How many entries are examined to find a probe. */
const PROBE_SCAN = 5_000;
/** How many pages are read to find a probe; where matches are sparser than that, there is none. */
const PROBE_PAGES = 60;

/** The facts about a consumer whose head is searched for. */
export interface HeadRequest {
  pages: Pages;
  stream: StreamName;
  position: number;
  /** Settled positions above it. */
  ahead: number[];
  filters: FilterVersion[];
  /** The records with parked entries, behind which their later entries wait. */
  parked: ReadonlySet<string>;
}

/**
 * The first entry of a consumer that may be tried: it is not settled, and no entry of its record is
 * parked. Null when nothing waits.
 */
export async function findHead(request: HeadRequest): Promise<Entry | null> {
  let found: Entry | null = null;
  await eachUnsettled(request, request.position, (entry) => {
    if (request.parked.has(recordOf(entry))) return true;
    found = entry;
    return false;
  });
  return found;
}

/**
 * An entry of another record with which the endpoint can be probed: the first unsettled entry of its record.
 * Each `turn` takes another one, in doubling strides through the waiting entries. Null when there is none, for
 * example when only the head's record waits.
 */
export async function findProbe(
  request: HeadRequest,
  head: Entry,
  turn: number,
): Promise<Entry | null> {
  const seen = new Set([recordOf(head)]);
  const found: number[] = []; // only positions, because thousands of bodies would take much memory
  const wanted = 2 ** Math.min(turn, 12) - 1;
  let looked = 0;
  await eachUnsettled(
    request,
    head.position,
    (entry) => {
      looked += 1;
      const record = recordOf(entry);
      if (!seen.has(record) && !request.parked.has(record)) found.push(entry.position);
      seen.add(record);
      return found.length <= wanted && looked < PROBE_SCAN;
    },
    PROBE_PAGES,
  );
  // A stride beyond the end takes them one after another: by strides alone some would never have their turn.
  const position = found[wanted < found.length ? wanted : turn % Math.max(1, found.length)];
  return position === undefined ? null : request.pages.entryAt(request.stream, position);
}

/** How long entries that a condition excludes are looked through for the head. */
const CONDITION_MS = 10_000;
/** After so long other work gets a turn. */
const TURN_MS = 20;

/**
 * Visits the unsettled entries that pass the filters, in order, until `visit` returns false. Where a condition excludes
 * so many that the search takes long, it ends early: the drain then reads on, which is faster.
 */
async function eachUnsettled(
  request: HeadRequest,
  from: number,
  visit: (entry: Entry) => boolean,
  pagesAtMost = Infinity,
): Promise<void> {
  const { pages, stream } = request;
  const settled = new Set(request.ahead);
  const filters = request.filters.map((one) => ({
    ...one,
    filterFrom: one.filterFrom ?? Math.max(request.position, ...request.ahead),
  }));
  const satisfies = conditionsOf(request);
  const until = performance.now() + CONDITION_MS;
  let turnEnds = performance.now() + TURN_MS;
  let after = from;
  for (let read = 1; ; read += 1) {
    const now = inForce(filters, after);
    const page = await pages.read({
      stream,
      after,
      ...(now.until === null ? {} : { until: now.until }),
      filter: now.filter,
      ...PAGE,
    });
    const also = now.also.map(compile);
    const conditions = satisfies([now.filter, ...now.also]);
    for (const entry of page.entries) {
      if (settled.has(entry.position) || !also.every((passes) => passes(entry))) continue;
      if (conditions.length > 0 && performance.now() > turnEnds) {
        if (performance.now() > until) return;
        await setImmediate();
        turnEnds = performance.now() + TURN_MS;
      }
      if (!conditions.every((holds) => holds(entry))) continue;
      if (!visit(entry)) return;
    }
    if (page.scannedTo <= after || page.scannedTo >= page.last || read >= pagesAtMost) return;
    after = page.scannedTo;
  }
}

/** For filters their conditions, each once. What can't be evaluated is not counted: a sender meets it as well. */
function conditionsOf({
  stream,
}: HeadRequest): (filters: Filter[]) => ((entry: Entry) => boolean)[] {
  return (filters) =>
    [...new Set(filters.map(whereOf))]
      .filter((text) => text !== null)
      .map((text) => {
        const where = compileWhere(text, stream);
        return (entry) => isSatisfied(where, entry.body, stream);
      });
}
