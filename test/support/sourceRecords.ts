import type { Sql } from '../../src/db/db.ts';
import { equalJson, parseJson } from '../../src/streams/exactJson.ts';
import type { SourceSession } from './sourcePostgres.ts';

type Fields = Record<string, unknown>;

/** What the records of a table and its rows do not agree on; `key` is the SQL of a record's id, `from` that of the rows. */
export async function tableDifferences(
  sql: Sql,
  session: SourceSession,
  {
    syncId,
    table,
    key,
    from = table,
  }: { syncId: string; table: string; key: string; from?: string },
): Promise<string[]> {
  const stored = await sql.query<{ upstream_id: string; data: string; deleted: boolean }>({
    text: `select upstream_id, data, deleted from records where sync_id = $1 and collection_id = $2`,
    values: [syncId, `postgres:public.${table}`],
  });
  const records = new Map(stored.rows.map((row) => [row.upstream_id, row]));
  const rows = await session.rows(
    `select (${key})::text, replace(to_jsonb(t)::text, '+00:00"', 'Z"') from ${from} t`,
  );
  const found = new Set(rows.map(([id]) => id));
  const extra = stored.rows.filter((row) => !row.deleted && !found.has(row.upstream_id));
  const wrong = rows.filter(([id, json]) => {
    const record = records.get(id ?? '');
    return record === undefined || record.deleted || !sameFields(record.data, json ?? '');
  });
  return [
    ...extra.map((row) => `${table} has no ${row.upstream_id}`),
    ...wrong.map(([id, json]) => {
      const record = records.get(id ?? '');
      const shown = record === undefined ? 'nothing' : record.data.slice(0, 300);
      const what = record?.deleted === true ? 'deleted ' : '';
      return `${table} has ${json?.slice(0, 300)}, Millrace ${what}${shown}`;
    }),
  ];
}

/** What happened in a sync, in order: `created 1`. */
export async function eventNames(sql: Sql, syncId: string): Promise<string[]> {
  const { rows } = await sql.query<{ text: string }>({
    text: `select event || ' ' || upstream_id as text from events where sync_id = $1 order by position`,
    values: [syncId],
  });
  return rows.map(({ text }) => text);
}

/**
 * What is wrong with the events of a sync: each has to follow from the one before of its record, to bring something that
 * is newer by the column `seq` or was left out before, and the last one has to be the record.
 */
export async function eventFaults(sql: Sql, syncId: string): Promise<string[]> {
  const { rows: events } = await sql.query<EventRow>({
    text: `select position, event, collection_id, upstream_id, data, changes
             from events where sync_id = $1 order by position`,
    values: [syncId],
  });
  const faults: string[] = [];
  const known = new Map<string, Replayed>();
  for (const event of events) {
    const id = `${event.collection_id} ${event.upstream_id}`;
    const before = known.get(id) ?? { data: null, seq: 0 };
    const fault = faultOf(event, before);
    if (fault !== null) faults.push(`event ${event.position} (${event.event}) of ${id}: ${fault}`);
    const isThere = event.event !== 'deleted';
    const seq = isThere ? seqOf(event.data) : null;
    known.set(id, { data: isThere ? event.data : null, seq: Math.max(before.seq, seq ?? 0) });
  }
  const { rows: records } = await sql.query<EventRow & { deleted: boolean }>({
    text: 'select collection_id, upstream_id, data, deleted from records where sync_id = $1',
    values: [syncId],
  });
  for (const record of records) {
    const id = `${record.collection_id} ${record.upstream_id}`;
    const last = known.get(id)?.data ?? null;
    const isSame = record.deleted ? last === null : last !== null && sameJson(last, record.data);
    if (!isSame) faults.push(`the events of ${id} do not end with its record`);
  }
  return faults;
}

interface EventRow extends Record<string, unknown> {
  position: number;
  event: string;
  collection_id: string;
  upstream_id: string;
  data: string;
  changes: string | null;
}

interface Replayed {
  /** Null: it is not there. */
  data: string | null;
  seq: number;
}

function faultOf({ event, data, changes }: EventRow, before: Replayed): string | null {
  if (event === 'deleted') return null; // of a record that was not known yet as well
  const seq = seqOf(data);
  if (seq !== null && seq <= before.seq && !fillsIn(before, { seq, changes })) {
    return `it has seq ${seq} after ${before.seq}`;
  }
  if (event === 'created') return before.data === null ? null : 'it was there';
  if (before.data === null) return 'it was not there';
  const was = parseJson(before.data) as Fields;
  const previous = parseJson(changes ?? '{}') as Fields;
  const names = Object.keys(previous);
  if (names.length === 0) return 'it changes nothing';
  const wrong = names.filter((name) => !equalJson(was[name] ?? null, previous[name]));
  return wrong.length === 0
    ? null
    : `its changes do not say what was before in ${wrong.join(', ')}`;
}

/**
 * Whether an event only brings what the log had left out before: fields that its record did not have, or, after a gap in
 * the log, had from before the gap. Only `large` is left out.
 */
function fillsIn(before: Replayed, after: { seq: number; changes: string | null }): boolean {
  if (before.data === null || after.seq !== before.seq || after.changes === null) return false;
  const was = parseJson(before.data) as Fields;
  const names = Object.keys(parseJson(after.changes) as Fields);
  return names.every((name) => name === 'large' || !Object.hasOwn(was, name));
}

function seqOf(data: string): number | null {
  const { seq } = parseJson(data) as { seq?: unknown };
  return typeof seq === 'number' ? seq : null;
}

function sameJson(a: string, b: string): boolean {
  return equalJson(parseJson(a), parseJson(b));
}

/** A column that was added after the row was written is not in the record; one that was dropped stays there. */
function sameFields(data: string, json: string): boolean {
  const record = parseJson(data) as Fields;
  return Object.entries(parseJson(json) as Fields).every(([name, value]) =>
    equalJson(record[name] ?? null, value),
  );
}
