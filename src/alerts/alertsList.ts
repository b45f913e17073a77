import type { Sql } from '../db/db.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import type { Alert, AlertKind } from '../schema/alert.ts';

/** Reads alerts with the state of their mails. */
export interface AlertsList {
  /** A page of the alerts that match, newest first. */
  list(query: AlertQuery): Promise<ListPage<Alert>>;
}

/** Which alerts to list. */
export interface AlertQuery {
  consumerId?: string | undefined;
  kind?: AlertKind | undefined;
  limit: number;
  after: ListPlace | null;
}

interface Row extends Omit<Alert, 'mail'> {
  message_id: string | null;
  recipients: number | null;
  sent_at: string | null;
  given_up_at: string | null;
  dropped_at: string | null;
  last_error: string | null;
}

/** Creates the list of alerts. */
export function createAlertsList(sql: Sql): AlertsList {
  async function list({ consumerId, kind, limit, after }: AlertQuery): Promise<ListPage<Alert>> {
    const { rows } = await sql.query<Row>({
      text: `
        with page as materialized (
          select * from alerts
           where ($1::uuid is null or consumer_id = $1) and ($2::text is null or kind = $2)
             and ($4::uuid is null or (at, id) < ($3::timestamptz, $4))
           order by at desc, id desc
           limit $5
        )
        select p.id, p.consumer_id, p.kind, p.detail, p.at, p.message_id,
               cardinality(o.recipients) as recipients, o.sent_at,
               case when o.dropped_at is null then o.given_up_at end as given_up_at, o.dropped_at,
               o.last_error
          from page p left join outbox o on o.message_id = p.message_id
         order by p.at desc, p.id desc`,
      values: [consumerId ?? null, kind ?? null, after?.at ?? null, after?.id ?? null, limit + 1],
    });
    const page = toPage(rows, limit, ({ at, id }) => ({ at, id }));
    return { ...page, data: page.data.map(toAlert) };
  }

  return { list };
}

function toAlert(row: Row): Alert {
  const { message_id, recipients, sent_at, given_up_at, dropped_at, last_error, ...alert } = row;
  const mail = { message_id, recipients, sent_at, given_up_at, dropped_at, last_error };
  return { ...alert, mail: message_id === null ? null : { ...mail, message_id } };
}
