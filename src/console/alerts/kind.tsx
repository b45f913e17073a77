import { alertText } from '../../alerts/alertText.ts';
import type { Alert, AlertKind } from '../../schema/alert.ts';
import { Badge, type Tone } from '../ui/statusBadge.tsx';

const LOOKS: Record<AlertKind, [Tone, string]> = {
  warning: ['warn', '▲'],
  stopped: ['bad', '■'],
  gone: ['bad', '■'],
  recovered: ['ok', '●'],
  'dead-letters': ['bad', '✕'],
  retention: ['warn', '◆'],
  certificate: ['warn', '◆'],
  'source-failed': ['bad', '■'],
  'source-interrupted': ['warn', '▲'],
  'source-behind': ['warn', '◆'],
  'source-silent': ['warn', '▲'],
  'source-asking': ['warn', '▲'],
  'source-recovered': ['ok', '●'],
};

export function KindBadge({ kind }: { kind: AlertKind }) {
  const [tone, shape] = LOOKS[kind];
  return <Badge tone={tone} shape={shape} text={kind} />;
}

/** The subject of an alert, in one line. */
export function gist({ kind, detail }: Alert): string {
  return textIn(detail, 'reason') ?? (kind === 'retention' ? lostText(detail) : '');
}

/** The name of its consumer or source when it was written. */
export function nameIn({ detail }: Alert): string | undefined {
  return textIn(detail, 'name');
}

/** The text of an alert, in the mail's words; for a mail about several consumers, the part about this one. */
export function said({ kind, detail }: Alert): string {
  if (kind === 'retention' && textIn(detail, 'reason') === undefined) return lostText(detail);
  return alertText(kind, detail);
}

/** The text of an older alert about lost events, which has no mail. */
function lostText(detail: Record<string, unknown>): string {
  const { count, first, last } = detail;
  return `${String(count)} entries, positions ${String(first)} to ${String(last)}, were dropped by the retention before they were sent.`;
}

function textIn(detail: Record<string, unknown>, name: string): string | undefined {
  const value = detail[name];
  return typeof value === 'string' ? value : undefined;
}
