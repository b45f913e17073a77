import type { AlertKind } from '../../schema/alert.ts';

/** All kinds of alerts, in the order in which they are offered. */
export const ALERT_KINDS = [
  'warning',
  'stopped',
  'gone',
  'recovered',
  'dead-letters',
  'retention',
  'certificate',
  'source-failed',
  'source-interrupted',
  'source-behind',
  'source-silent',
  'source-asking',
  'source-recovered',
] as const satisfies readonly AlertKind[];
