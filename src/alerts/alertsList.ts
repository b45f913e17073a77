import type { Sql } from '../db/db.ts';
import { toPage, type ListPlace, type ListPage } from '../db/keyset.ts';
import type { Alert, AlertKind } from '../schema/alert.ts';
import type { AlertItem } from './alertItem.ts';
import { matterOf } from './alertWords.ts';
import { whyNotNeeded, whySourceNotNeeded } from './notNeeded.ts';
import { isOfSource } from './sourceItem.ts';

/** Reads alerts with the state of their mails. */
export interface AlertsList {
  /** A page of the alerts that match, newest first. */
  list(query: AlertQuery): Promise<ListPage<Alert>>;
}

/** Which alerts to list. */
export interface AlertQuery {
  consumerId?: string | undefined;
  sourceId?: string | undefined;
  kind?: AlertKind | undefined;
  /** Whether the addresses of the mails are read as well. */
  withAddresses: boolean;
  limit: number;
  after: ListPlace | null;
}

interface Row extends Omit<Alert, 'mail'> {
  message_id: string | null;
  /** Null for a mail that is no longer in the outbox. */
  recipients: string[] | null;
  consumers: number | null;
  sent_at: string | null;
  given_up_at: string | null;
  dropped_at: string | null;
  last_error: string | null;
  /** The kind of the consumer's newest alert after this one, up to when its mail was dropped. */
  later: AlertKind | null;
  is_deleted: boolean;
}

/** Creates the list of alerts. */
export function createAlertsList(sql: Sql): AlertsList {
  async function list(query: AlertQuery): Promise<ListPage<Alert>> {
    const { consumerId, sourceId, kind, withAddresses, limit, after } = query;
    const { rows } = await sql.query<Row>({
      text: `
        with page as materialized (
          select * from alerts
           where ($1::uuid is null or consumer_id = $1) and ($6::uuid is null or source_id = $6)
             and ($2::text is null or kind = $2)
             and ($4::uuid is null or (at, id) < ($3::timestamptz, $4))
           order by at desc, id desc
           limit $5
        )
        select p.id, p.consumer_id, p.source_id, p.kind, p.detail, p.at, p.message_id,
               o.recipients, nullif(json_array_length(o.items), 0) as consumers, o.sent_at,
               case when o.dropped_at is null then o.given_up_at end as given_up_at, o.dropped_at,
               o.last_error, l.kind as later, k.deleted_at is not null as is_deleted
          from page p
          left join consumers k on k.id = p.consumer_id
          left join outbox o on o.message_id = p.message_id
          left join lateral (
            select kind from alerts a
             where o.dropped_at is not null and a.consumer_id = p.consumer_id
               and (a.at, a.id) > (p.at, p.id) and a.at <= o.dropped_at
             order by a.at desc, a.id desc limit 1
          ) l on true
         order by p.at desc, p.id desc`,
      values: [
        consumerId ?? null,
        kind ?? null,
        after?.at ?? null,
        after?.id ?? null,
        limit + 1,
        sourceId ?? null,
      ],
    });
    const page = toPage(rows, limit, ({ at, id }) => ({ at, id }));
    return { ...page, data: page.data.map((row) => toAlert(row, withAddresses)) };
  }

  return { list };
}

function toAlert(row: Row, withAddresses: boolean): Alert {
  const { id, consumer_id, source_id, kind, detail, at, message_id } = row;
  const alert = { id, consumer_id, source_id, kind, detail, at };
  if (message_id === null) return { ...alert, mail: null };
  const { recipients, consumers, sent_at, given_up_at, dropped_at, last_error } = row;
  const mail = {
    message_id,
    consumers,
    recipients: recipients?.length ?? null,
    to: withAddresses ? recipients : null,
    sent_at,
    given_up_at,
    dropped_at,
    dropped_because: dropped_at === null ? null : whyDropped(row),
    last_error,
  };
  return { ...alert, mail };
}

function whyDropped({ kind, detail, later, is_deleted }: Row): string {
  if (isOfSource(kind)) return whySourceNotNeeded(kind);
  const matter = matterOf(kind, detail as unknown as AlertItem);
  return whyNotNeeded(matter, { later, isDeleted: is_deleted });
}
