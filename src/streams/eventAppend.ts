import type { Pipe } from '../db/db.ts';
import type { EventsAppended } from '../schema/stream.ts';
import { insertEvents, lockLine, selectEventIds, type EventsInserted } from './appendSql.ts';
import { surely, type Doubt } from './certainty.ts';
import type { NewEvent } from './derive.ts';

/** Commits the events of all requests together, and answers each request; one call at a time. */
export type EventAppend = (requests: NewEvent[][]) => Promise<EventsAppended[]>;

/** The position of a new event; null for an event whose id was already stored. */
type Entered = number | null;

/** Creates the append of events. An event whose id is stored is a duplicate and is not stored again. */
export function createEventAppend({ pipe, doubt }: { pipe: Pipe; doubt: Doubt }): EventAppend {
  let end = 0; // the stream's last position, as far as this process knows

  async function append(requests: NewEvent[][]): Promise<EventsAppended[]> {
    const events = requests.flat();
    const before = end;
    await pipe.ready();
    const entered = await surely(
      () => write(events),
      () => find(events, before),
      doubt,
    );
    return toAnswers(requests, entered, end);
  }

  async function write(events: NewEvent[]): Promise<Entered[]> {
    const { rows } = await pipe.query<EventsInserted>(insertEvents(events));
    const { base, fresh } = rows[0]!;
    end = Math.max(end, base + events.length);
    const isNew = fresh === null ? null : new Set(fresh);
    return events.map((_, index) => {
      const position = base + index + 1;
      return isNew === null || isNew.has(position) ? position : null;
    });
  }

  /** A commit stores every id; a position above the end known `before` was stored by this write. */
  async function find(events: NewEvent[], before: number): Promise<Entered[] | null> {
    const ids = events.map(({ eventId }) => eventId);
    const found = await findEvents(pipe, ids);
    if (ids.some((id) => !found.has(id))) return null;
    end = Math.max(end, ...found.values());
    return ids.map((id) => {
      const position = found.get(id)!;
      return position > before ? position : null;
    });
  }

  return append;
}

/** Waits for a commit that may still be in progress, then returns the positions of the ids that are stored. */
export async function findEvents(pipe: Pipe, ids: string[]): Promise<Map<string, number>> {
  const [, found] = await pipe.transaction([lockLine('events'), selectEventIds(ids)]);
  return new Map(found!.rows.map((row) => [row.event_id, row.position]));
}

function toAnswers(requests: NewEvent[][], entered: Entered[], end: number): EventsAppended[] {
  let start = 0;
  return requests.map((request) => {
    const own = entered.slice(start, start + request.length);
    start += request.length;
    const taken = own.filter((position) => position !== null);
    return {
      accepted: taken.length,
      duplicates: own.length - taken.length,
      position: taken.at(-1) ?? end,
    };
  });
}
