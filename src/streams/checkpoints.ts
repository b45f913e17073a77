import { textArray } from '../db/arrayLiteral.ts';
import type { Query, Sql } from '../db/db.ts';
import type { Checkpoint, CheckpointInput } from '../schema/checkpoint.ts';

/** How far sources have come, as the appends stored it that brought them there. */
export interface Checkpoints {
  /** Returns up to `limit` checkpoints of a source whose key is above `after`, by their keys. */
  list(source: string, page: { limit: number; after: string }): Promise<Checkpoint[]>;
  /** Removes all checkpoints of a source that will never append again. */
  forget(source: string): Promise<void>;
}

/** Creates the store of checkpoints; appends write them. */
export function createCheckpoints(sql: Sql): Checkpoints {
  return {
    list: async (source, { limit, after }) => {
      const { rows } = await sql.query<Checkpoint>({
        text: `select source, key, value, updated_at from checkpoints
                where source = $1 and key > $2
                order by key
                limit $3`,
        values: [source, after, limit],
      });
      return rows;
    },
    forget: async (source) => {
      await sql.query({ text: 'delete from checkpoints where source = $1', values: [source] });
    },
  };
}

/** Stores checkpoints; of those with the same source and key the last one counts. */
export function upsertCheckpoints(all: readonly CheckpointInput[]): Query {
  const last = new Map(all.map((one) => [JSON.stringify([one.source, one.key]), one]));
  const column = (of: (one: CheckpointInput) => string): string =>
    textArray([...last.values()].map(of));
  return {
    name: 'upsert-checkpoints',
    text: `
      insert into checkpoints (source, key, value, updated_at)
      select source, key, value, now()
        from unnest($1::text[], $2::text[], $3::text[]) as input (source, key, value)
      on conflict (source, key) do update
         set value = excluded.value, updated_at = excluded.updated_at`,
    values: [
      column(({ source }) => source),
      column(({ key }) => key),
      column(({ value }) => value),
    ],
  };
}
