import type { AlertKind, SourceAlertKind } from '../schema/alert.ts';

/** The facts of a mail or webhook about one source. */
export interface SourceItem {
  source_id: string;
  name: string;
  /** The reason for the alert, as a sentence without its capital and its full stop. */
  reason: string;
  /** The URL of its database, with the password masked. */
  database: string;
  /** Since when it is so, RFC 3339. */
  since: string;
  /** How much of the log of its database is not stored, as it was measured last; null before that. */
  lag_bytes: number | null;
  lag_seconds: number | null;
  /** Beyond so much of it the slot is lost; null for no such limit. */
  limit_bytes: number | null;
  /** The tables that the alert is about; none when it is about the source as a whole. */
  tables: string[];
  /** Its page in the console. */
  url: string;
  /** In a recovery: the id of the alert that told of the trouble. */
  ends?: string;
}

/** Whether an alert of this kind is about a source. */
export function isOfSource(kind: AlertKind): kind is SourceAlertKind {
  return kind.startsWith('source-');
}
