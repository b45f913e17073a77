import type { AlertKind } from '../schema/alert.ts';

/** The events that were dropped although a consumer had still to pass them. */
export interface Lost {
  count: number;
  /** The lowest and the highest of their positions are `first` and `last`. */
  first: number;
  last: number;
}

export interface AlertOptions {
  /** The recipients of alerts about consumers that have no `alert_emails`. */
  alertEmails: string[];
  /** The console's address, with which the links in mails begin. */
  publicUrl: string;
  /** Whether alerts are sent to the alert webhook as well. */
  alertWebhook: boolean;
  retryWindowMs: number;
}

/** A consumer as an alert describes it, read in the transaction that writes the alert. */
export interface Troubled {
  name: string;
  alert_emails: string[];
  version: number;
  failing_since: string | null;
  target_id: string;
  target_name: string;
  target_url: string;
  position: number;
  waiting: number;
  last_failure: { code: string; detail: string; at: string } | null;
}

/** What a mail or webhook says about one consumer, and which events retention has taken from it, if any. */
export interface AlertItem extends Partial<Lost> {
  consumer_id: string;
  name: string;
  /** The reason for the alert, as a sentence without its full stop. */
  reason: string;
  target: string;
  /** The target's URL, without the parts that may be secret. */
  endpoint: string;
  failing_since: string | null;
  last_failure: Troubled['last_failure'];
  position: number;
  waiting: number;
  /** The consumer's page in the console. */
  url: string;
  /** Set when a lasting fault that is not the endpoint's keeps the consumer from being sent to. */
  cannot_start?: CannotStartNote;
}

/** The fault that keeps a consumer from being sent to, by its code, and since when (RFC 3339). */
export interface CannotStartNote {
  code: string;
  since: string;
}

/** The columns of `Troubled` but for `failing_since`, of rows k (consumers), c (cursors), t (targets), s (streams). */
export const TROUBLED = `
  k.name, k.alert_emails, k.version, t.id as target_id, t.name as target_name,
  t.base_url as target_url, c.position,
  c.last_failure - 'late' as last_failure,
  greatest(0, s.last_position - c.position - cardinality(c.ahead)) as waiting`;

/** An alert about one consumer that is about to be written. */
export interface Alert {
  kind: AlertKind;
  consumerId: string;
  reason: string;
  at: Date;
  troubled: Troubled;
  /** Makes the Message-ID unique; the consumer's version unless given. */
  key?: string;
  /** Set for a fault that keeps the consumer from being sent to; such mails are shared as those of stops are. */
  cannotStart?: CannotStartNote;
}

/** Describes one consumer for a mail or a webhook. */
export function itemOf(
  {
    consumerId,
    reason,
    troubled,
    cannotStart,
  }: Pick<Alert, 'consumerId' | 'reason' | 'troubled' | 'cannotStart'>,
  publicUrl: string,
): AlertItem {
  return {
    consumer_id: consumerId,
    name: troubled.name,
    reason,
    target: troubled.target_name,
    endpoint: endpointOf(troubled.target_url),
    failing_since: troubled.failing_since,
    last_failure: troubled.last_failure,
    position: troubled.position,
    waiting: troubled.waiting,
    url: `${publicUrl}/consumers/${consumerId}`,
    ...(cannotStart === undefined ? {} : { cannot_start: cannotStart }),
  };
}

/** Origin and path of a URL, as the rest often carries keys; a stored URL that can't be read must not stop alerts. */
function endpointOf(text: string): string {
  const url = URL.parse(text);
  return url === null ? "a URL that can't be read" : `${url.origin}${url.pathname}`;
}
