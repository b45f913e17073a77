/** The events that were dropped although a consumer had not passed them yet. */
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
  /** How long events are kept, ms. */
  eventRetentionMs: number;
}

/** The facts of a mail or webhook about one consumer, and which events retention has taken from it, if any. */
export interface AlertItem extends Partial<Lost> {
  consumer_id: string;
  name: string;
  /** The reason for the alert, as a sentence without its full stop. */
  reason: string;
  target: string;
  /** Missing in items that an older version has written. */
  target_id?: string;
  /** The URL that its webhooks go to, without the parts that may be secret. */
  endpoint: string;
  failing_since: string | null;
  last_failure: { code: string; detail: string; at: string } | null;
  position: number;
  /** How many entries wait; an upper bound unless `waiting_exact`. */
  waiting: number;
  /** Missing in items that an older version has written. */
  waiting_exact?: boolean;
  /** How the last answer of a failing endpoint begins. */
  answer?: string;
  /**
   * When the oldest waiting event becomes too old to be kept, RFC 3339; null when nothing that waits does.
   * Missing when that is not known.
   */
  kept_until?: string | null;
  /** The consumer's page in the console, opened at the subject of the alert. */
  url: string;
  /** In a warning of a failing endpoint: when the retry window ends, RFC 3339. */
  retries_until?: string;
  /** Set when a lasting fault that is not the endpoint's keeps the consumer from sending. */
  cannot_start?: CannotStartNote;
}

/** The fault that keeps a consumer from sending, by its code, and since when (RFC 3339). */
export interface CannotStartNote {
  code: string;
  since: string;
}
