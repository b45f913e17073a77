import type { Sql } from '../db/db.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import type { Change } from '../schema/consumer.ts';

/** Who changed which consumer, newest first. Written with each change by whoever makes it. */
export interface Changes {
  list(query: ChangeQuery): Promise<ListPage<Change>>;
}

export interface ChangeQuery {
  consumerId?: string | undefined;
  limit: number;
  after: ListPlace | null;
}

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
