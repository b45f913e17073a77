import type { LogGroup, LogItem, Place } from '../../src/sources/postgres/groupCutter.ts';
import { NO_LSN } from '../../src/sources/postgres/lsn.ts';
import type { Change } from '../../src/sources/postgres/rowChange.ts';
import { equalJson, parseJson } from '../../src/streams/exactJson.ts';
import type { SourceSession } from './sourcePostgres.ts';

/** Records as a stream would have them, in memory, with the place that was stored with them. */
export interface LogCopy {
  readonly place: Place;
  /** Everything that was stored, in order. */
  readonly items: LogItem[];
  store(group: LogGroup): void;
  /** What this copy and a table do not agree on; `key` is the SQL of the record's id, `rows` that of its rows. */
  differences(session: SourceSession, table: string, key: string, rows?: string): Promise<string[]>;
  hasMark(content: string): boolean;
}

interface Copied {
  fields: Map<string, unknown>;
  deleted: boolean;
}

export function createCopy(): LogCopy {
  const collections = new Map<string, Map<string, Copied>>();
  const items: LogItem[] = [];
  let place: Place = { lsn: NO_LSN, within: null };

  function collection(name: string): Map<string, Copied> {
    const known = collections.get(name) ?? new Map<string, Copied>();
    collections.set(name, known);
    return known;
  }

  function apply(change: Change): void {
    const records = collection(change.collection);
    if (change.kind === 'unreadable') throw new Error(`${change.collection}: ${change.reason}`);
    if (change.kind === 'truncate') {
      for (const record of records.values()) record.deleted = true;
      return;
    }
    const before = records.get(change.movedFrom ?? change.upstreamId);
    const stored = before === undefined ? [] : [...before.fields];
    if (change.data === null) {
      records.set(change.upstreamId, { fields: new Map(stored), deleted: true });
      return;
    }
    const given = fieldsOf(change.data);
    const fields = change.merge ? new Map([...stored, ...given]) : new Map(given);
    records.set(change.upstreamId, { fields, deleted: false });
  }

  return {
    get place() {
      return place;
    },
    items,
    store: (group) => {
      for (const item of group.items) if (item.kind === 'change') apply(item.change);
      items.push(...group.items);
      place = group.place;
    },
    differences: async (session, table, key, from = table) => {
      const rows = await session.rows(
        `select (${key})::text, replace(to_jsonb(t)::text, '+00:00"', 'Z"') from ${from} t`,
      );
      const there = collection(`postgres:public.${table}`);
      const found = new Set(rows.map(([id]) => id));
      const extra = [...there].filter(([id, { deleted }]) => !deleted && !found.has(id));
      const wrong = rows.filter(([id, json]) => {
        const record = there.get(id ?? '');
        return record === undefined || record.deleted || !sameFields(record.fields, json ?? '');
      });
      return [
        ...extra.map(([id]) => `${table} has no ${id}`),
        ...wrong.map(([id, json]) => {
          const record = there.get(id ?? '');
          const shown = record && JSON.stringify(Object.fromEntries(record.fields));
          return `${table} has ${json}, the copy ${record?.deleted === true ? 'deleted ' : ''}${shown}`;
        }),
      ];
    },
    hasMark: (content) => items.some((item) => item.kind === 'mark' && item.content === content),
  };
}

function fieldsOf(json: string): [string, unknown][] {
  return Object.entries(parseJson(json) as Record<string, unknown>);
}

/** A column that was added after the row was written is not in the copy; one that was dropped stays there. */
function sameFields(copied: Map<string, unknown>, json: string): boolean {
  return fieldsOf(json).every(([name, value]) => equalJson(copied.get(name) ?? null, value));
}
