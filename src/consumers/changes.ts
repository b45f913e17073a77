import { CHANNELS } from '../db/channels.ts';
import type { Sql } from '../db/db.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import type { Change } from '../schema/consumer.ts';

/** The log of changes of consumers. Each row is written in the transaction of its change. */
export interface Changes {
  /** Newest first. */
  list(query: ChangeQuery): Promise<ListPage<Change>>;
}

/** Which changes to list. */
export interface ChangeQuery {
  consumerId?: string | undefined;
  limit: number;
  after: ListPlace | null;
}

/** Creates the reader of changes. */
export function createChanges(sql: Sql): Changes {
  async function list({ consumerId, limit, after }: ChangeQuery): Promise<ListPage<Change>> {
    const { rows } = await sql.query<Change>({
      text: `
        select id, consumer_id, action, actor, detail, at from changes
         where ($1::uuid is null or consumer_id = $1)
           and ($3::uuid is null or (at, id) < ($2::timestamptz, $3))
         order by at desc, id desc
         limit $4`,
      values: [consumerId ?? null, after?.at ?? null, after?.id ?? null, limit + 1],
    });
    return toPage(rows, limit, ({ at, id }) => ({ at, id }));
  }

  return { list };
}

/** The part of a statement that notes the creation of the consumer in `consumer`. */
export function creationNoted(columns: Record<'id' | 'actor' | 'detail', string>): string {
  const { id, actor, detail } = columns;
  return `
    insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
    select ${id}, id, 'create', 'created', ${actor}, ${detail}, 1, now() from consumer`;
}

/** What a command has changed. */
export interface CommandChange {
  consumerId: string;
  editId: string;
  action: string;
  actor: string;
  detail: Record<string, unknown>;
  /** The consumer's version after it. */
  version: number;
  at: Date;
}

/** Stores what a command has changed, and notifies the running sender. */
export async function noteChange(sql: Sql, change: CommandChange): Promise<void> {
  const { consumerId, editId, action, actor, detail, version, at } = change;
  await sql.query({
    text: `
      with noted as (
        insert into changes (id, consumer_id, edit_id, action, actor, detail, version, at)
        values ($1, $2, $3, $4, $5, $6, $7, $8)
      )
      select pg_notify('${CHANNELS.consumers}', $2::text)`,
    values: [
      crypto.randomUUID(),
      consumerId,
      editId,
      action,
      actor,
      JSON.stringify(detail),
      version,
      at,
    ],
  });
}
