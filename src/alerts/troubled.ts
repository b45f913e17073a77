import type { Sql } from '../db/db.ts';
import { readerFrom } from '../rules/readerSql.ts';
import { requestUrl } from '../rules/requestUrl.ts';
import type { ConsumerAlertKind } from '../schema/alert.ts';
import { countWaiting, NOTHING_WAITS, type Reader, type Waiting } from '../streams/waiting.ts';
import type { AlertItem, AlertOptions, CannotStartNote } from './alertItem.ts';
import { readLastAnswers } from './lastAnswers.ts';

/** A consumer as an alert describes it, read in the transaction that writes the alert. */
export interface Troubled {
  name: string;
  alert_emails: string[];
  version: number;
  failing_since: string | null;
  target_id: string;
  target_name: string;
  target_url: string;
  path: string;
  position: number;
  /** The consumer as it reads its stream, to count the entries that wait. */
  reader: Reader;
  last_failure: AlertItem['last_failure'];
}

/** The columns of `Troubled` except `failing_since`, of rows k (consumers), c (cursors), t (targets), s (streams). */
export const TROUBLED = `
  k.name, k.alert_emails, k.version, t.id as target_id, t.name as target_name,
  t.base_url as target_url, k.path, c.position,
  c.last_failure - 'late' as last_failure, ${readerFrom('c.position')} as reader`;

/** An alert about one consumer that is about to be written. */
export interface Alert {
  kind: ConsumerAlertKind;
  consumerId: string;
  reason: string;
  at: Date;
  troubled: Troubled;
  /** Makes the Message-ID unique; the consumer's version unless given. */
  key?: string;
  /** Set for a fault that keeps the consumer from sending; such mails are shared like those of stops. */
  cannotStart?: CannotStartNote;
  /** Whether its mail is shared by consumers of all targets, because the cause is of none of them. */
  spansTargets?: boolean;
}

type Told = Pick<Alert, 'consumerId' | 'reason' | 'troubled' | 'cannotStart'> &
  Partial<Pick<Alert, 'kind'>>;

/** The kinds of alerts about an endpoint that fails. */
const OF_ENDPOINT: ReadonlySet<ConsumerAlertKind | undefined> = new Set([
  'warning',
  'stopped',
  'gone',
]);

/** Describes consumers for mails and webhooks, and counts what waits for each. */
export async function itemsOf(
  sql: Sql,
  alerts: readonly Told[],
  options: Pick<AlertOptions, 'publicUrl' | 'eventRetentionMs'>,
): Promise<AlertItem[]> {
  const failing = alerts.filter(
    ({ kind, cannotStart }) => OF_ENDPOINT.has(kind) && cannotStart === undefined,
  );
  const answers = await readLastAnswers(
    sql,
    failing.map(({ consumerId }) => consumerId),
  );
  const waiting = await countWaiting(
    sql,
    alerts.map(({ troubled }) => troubled.reader),
  );
  return alerts.map((alert, index) => {
    const waits = waiting[index] ?? NOTHING_WAITS;
    const answer = answers.get(alert.consumerId);
    return {
      ...itemOf(alert, waits, options.publicUrl),
      ...(answer === undefined ? {} : { answer }),
      ...(OF_ENDPOINT.has(alert.kind) ? keptOf(alert.troubled, waits, options) : {}),
    };
  });
}

/** Until when what waits is kept. What waits since before it became too old may be dropped at any time. */
function keptOf(
  { reader }: Troubled,
  { entries, seconds }: Waiting,
  { eventRetentionMs }: Pick<AlertOptions, 'eventRetentionMs'>,
): Pick<AlertItem, 'kept_until'> {
  if (entries === 0 || reader.stream === 'records') return { kept_until: null };
  const leftMs = eventRetentionMs - seconds * 1_000;
  return leftMs <= 0 ? {} : { kept_until: new Date(Date.now() + leftMs).toISOString() };
}

function itemOf(
  { kind, consumerId, reason, troubled, cannotStart }: Told,
  waiting: Waiting,
  publicUrl: string,
): AlertItem {
  return {
    consumer_id: consumerId,
    name: troubled.name,
    reason,
    target: troubled.target_name,
    target_id: troubled.target_id,
    endpoint: endpointOf(troubled),
    failing_since: troubled.failing_since,
    last_failure: troubled.last_failure,
    position: troubled.position,
    waiting: waiting.entries,
    waiting_exact: waiting.exact,
    url: `${publicUrl}/consumers/${consumerId}${kind === 'dead-letters' ? '?tab=dead-letters' : ''}`,
    ...(cannotStart === undefined ? {} : { cannot_start: cannotStart }),
  };
}

/** Origin and path of its URL, because the rest often contains keys; one that can't be read must not stop alerts. */
function endpointOf({ target_url, path }: Troubled): string {
  const url = URL.parse(requestUrl(target_url, path) ?? target_url);
  return url === null ? "a URL that can't be read" : `${url.origin}${url.pathname}`;
}
