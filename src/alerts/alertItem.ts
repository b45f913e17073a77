import type { AlertKind } from '../schema/alert.ts';

/** Events that a consumer had still to pass when they were dropped. */
export interface Lost {
  count: number;
  /** The lowest and the highest of their positions. */
  first: number;
  last: number;
}

export interface AlertOptions {
  /** Who gets alerts of consumers that name nobody. */
  alertEmails: string[];
  /** Where people look: links in mails begin with it. */
  publicUrl: string;
  /** The alerts' own webhook is told too. */
  alertWebhook: boolean;
  retryWindowMs: number;
}

/** A consumer as an alert tells of it, of the transaction that writes the alert. */
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

/** What a mail or webhook says of one consumer; with what it lost, where it lost events to retention. */
export interface AlertItem extends Partial<Lost> {
  consumer_id: string;
  name: string;
  /** Why, as the consumer's status says it. */
  reason: string;
  target: string;
  /** Without what may be a secret. */
  endpoint: string;
  failing_since: string | null;
  last_failure: Troubled['last_failure'];
  position: number;
  waiting: number;
  /** Where people look. */
  url: string;
}

/** The columns of `Troubled`, for rows k (consumers), c (cursors), t (targets) and s (streams). */
export const TROUBLED = `
  k.name, k.alert_emails, k.version, t.id as target_id, t.name as target_name,
  t.base_url as target_url, c.position, c.last_failure,
  greatest(0, s.last_position - c.position - cardinality(c.ahead)) as waiting`;

export interface Alert {
  kind: AlertKind;
  consumerId: string;
  reason: string;
  at: Date;
  troubled: Troubled;
  /** Makes the Message-ID its own; the consumer's version unless given. */
  key?: string;
}

/** What is said of one consumer. */
export function itemOf(
  { consumerId, reason, troubled }: Pick<Alert, 'consumerId' | 'reason' | 'troubled'>,
  publicUrl: string,
): AlertItem {
  const { origin, pathname } = new URL(troubled.target_url); // the rest often carries keys
  return {
    consumer_id: consumerId,
    name: troubled.name,
    reason,
    target: troubled.target_name,
    endpoint: `${origin}${pathname}`,
    failing_since: troubled.failing_since,
    last_failure: troubled.last_failure,
    position: troubled.position,
    waiting: troubled.waiting,
    url: `${publicUrl}/consumers/${consumerId}`,
  };
}
