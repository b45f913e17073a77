/**
 * The channels of NOTIFY. A notification is only a hint that speeds up what a poll would find as well, so a
 * lost one costs time and nothing else.
 */
export const CHANNELS = {
  /** The records stream has grown; the payload is its last position. */
  records: 'millrace_records',
  /** The events stream has grown; the payload is its last position. */
  events: 'millrace_events',
  /** A consumer has been created; there is no payload. */
  created: 'millrace_created',
  /** A consumer has become idle; there is no payload. */
  idle: 'millrace_idle',
  /** Consumers are to be visited; there is no payload. */
  visits: 'millrace_visits',
  /** A consumer or its target has changed; the payload is the consumer's id, or empty for any number of them. */
  consumers: 'millrace_consumers',
  /** A source has been created, changed or is to be deleted; the payload is its id. */
  sources: 'millrace_sources',
  /** Someone has asked for a test alert; there is no payload. */
  alertTests: 'millrace_alert_tests',
  /** An API key has been revoked; the payload is its id. */
  apiKeys: 'api_keys',
} as const;
