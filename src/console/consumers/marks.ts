import type { Alert } from '../../schema/alert.ts';
import type { Change } from '../../schema/consumer.ts';
import { changeSentence } from '../changes/changeText.ts';
import type { ChartMark } from '../ui/chartMarks.ts';

const OF_CHANGE: Record<string, ChartMark['tone']> = {
  paused: 'idle',
  resumed: 'ok',
  seeked: 'accent',
  filter: 'accent',
  changed: 'accent',
};

const OF_ALERT: Partial<Record<Alert['kind'], ChartMark['tone']>> = {
  stopped: 'bad',
  gone: 'bad',
  recovered: 'ok',
};

/** What happened to a consumer that explains its charts: stops, pauses, resumes, seeks and edits; the oldest first. */
export function marksOf(changes: readonly Change[], alerts: readonly Alert[]): ChartMark[] {
  const marks: ChartMark[] = [];
  for (const change of changes) {
    const tone = OF_CHANGE[change.action];
    if (tone !== undefined) {
      marks.push({ at: Date.parse(change.at), tone, text: changeSentence(change) });
    }
  }
  for (const { kind, at, detail } of alerts) {
    const tone = OF_ALERT[kind];
    if (tone === undefined) continue;
    const { reason } = detail;
    const what = kind === 'recovered' ? 'Recovered' : 'Stopped';
    const text = typeof reason === 'string' ? `${what}: ${reason}` : what;
    marks.push({ at: Date.parse(at), tone, text });
  }
  return marks.toSorted((a, b) => a.at - b.at);
}
