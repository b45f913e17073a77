import type { AlertKind, SourceAlertKind } from '../schema/alert.ts';
import type { Matter } from './alertWords.ts';

/** What has become of a consumer by the time the mail of an alert was to be sent. */
export interface Since {
  /** The newest alert about it after this one. */
  later: AlertKind | null;
  isDeleted: boolean;
}

const REASONS: Record<Matter, string> = {
  warning: 'the consumer was no longer failing by then, or was paused',
  cannotStart: 'the consumer could send again by then',
  stopped: 'the consumer was resumed by then',
  gone: 'the consumer was resumed by then',
  recovered: 'the warning before it was not sent either',
  'dead-letters': 'there were no dead letters any more by then',
  aging: 'no waiting event was that old any more by then',
  lost: 'it was no longer true by then',
  certificate: 'the target had another client certificate by then, or none',
};

/** Why the mail of an alert was not needed, as a sentence without its capital and its full stop. */
export function whyNotNeeded(matter: Matter, { later, isDeleted }: Since): string {
  if (isDeleted) return 'the consumer was deleted by then';
  const isStop = later === 'stopped' || later === 'gone';
  const isWarning = matter === 'warning' || matter === 'cannotStart';
  if (matter === 'stopped' || matter === 'gone')
    return isStop ? 'the consumer stopped again, which has a mail of its own' : REASONS[matter];
  if (isStop && isWarning) return 'the consumer had stopped by then, which has a mail of its own';
  if (later === 'warning' && isWarning) return 'a newer warning has a mail of its own';
  return REASONS[matter];
}

const OF_SOURCES: Record<SourceAlertKind, string> = {
  'source-failed': 'the source had been resumed or changed by then',
  'source-interrupted': 'the source was followed again by then',
  'source-behind': 'the source had caught up by then, or a newer alert has a mail of its own',
  'source-silent': 'its tables had changed by then',
  'source-asking': 'the source no longer asked that by then',
  'source-recovered': 'the alert before it was not sent either',
};

/** Why the mail of an alert about a source was not needed, in the same form. */
export function whySourceNotNeeded(kind: SourceAlertKind): string {
  return OF_SOURCES[kind];
}
