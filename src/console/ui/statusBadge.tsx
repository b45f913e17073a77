import type { Target } from '../../schema/target.ts';

type Tried = Pick<Target, 'health' | 'tried'>;

export type Tone = 'ok' | 'warn' | 'bad' | 'idle' | 'accent';

const TONES: Record<Tone, string> = {
  ok: 'bg-ok-soft text-ok',
  warn: 'bg-warn-soft text-warn',
  bad: 'bg-bad-soft text-bad',
  idle: 'bg-sunk text-soft',
  accent: 'bg-accent-soft text-accent',
};

/** A word with a colour and a shape, so that nothing depends on seeing the colour. */
export function Badge({ tone, shape, text }: { tone: Tone; shape: string; text: string }) {
  return (
    <span
      className={`inline-flex items-center gap-1 rounded px-1.5 py-0.5 text-xs font-semibold whitespace-nowrap ${TONES[tone]}`}
    >
      <span aria-hidden>{shape}</span>
      {text}
    </span>
  );
}

const STATUSES: Record<string, [Tone, string]> = {
  active: ['ok', '●'],
  paused: ['idle', '‖'],
  blocked: ['warn', '▲'],
  stopped: ['bad', '■'],
  ok: ['ok', '●'],
  warn: ['warn', '▲'],
  error: ['bad', '■'],
  delivered: ['ok', '✓'],
  failed: ['bad', '✕'],
};

/** The health of a target; one that nothing was sent to yet has shown neither. */
export function TargetBadge({ target: { health, tried } }: { target: Tried }) {
  if (health.status === 'ok' && !tried) return <Badge tone="idle" shape="○" text="not tried yet" />;
  return <StatusBadge status={health.status} />;
}

/** The status of a consumer, of a health report, or of an attempt. */
export function StatusBadge({ status }: { status: string }) {
  const [tone, shape] = STATUSES[status] ?? ['idle', '○'];
  return <Badge tone={tone} shape={shape} text={status} />;
}
