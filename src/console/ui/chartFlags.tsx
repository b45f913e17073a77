import { createPortal } from 'react-dom';

import { useZone } from '../settings.ts';
import { printMinute } from '../words.ts';
import type { MarkedStep } from './chartMarks.ts';
import { Tooltip } from './tooltip.tsx';

const LINES = {
  ok: 'border-ok',
  bad: 'border-bad',
  accent: 'border-accent',
  idle: 'border-soft',
} as const;
/** More lines than this hide what is drawn under them. */
const MOST_LINES = 12;
const FLAGS = { ok: 'bg-ok', bad: 'bg-bad', accent: 'bg-accent', idle: 'bg-soft' } as const;

/**
 * A flag for each marked step, over `plot`, which is what the chart draws in, on a line unless there are many; its
 * words are shown on hover.
 */
export function ChartFlags({ plot, steps }: { plot: HTMLElement; steps: MarkedStep[] }) {
  const form = useZone();
  return createPortal(
    steps.map(({ index, place, marks }) => {
      const tone = marks.some((mark) => mark.tone === 'bad')
        ? 'bad'
        : (marks.at(-1)?.tone ?? 'idle');
      return (
        <Tooltip
          key={index}
          text={marks.map(({ at, text }, nth) => (
            <span key={nth} className="block">
              <span className="text-soft">{printMinute(form, at, Date.now())}</span> {text}
            </span>
          ))}
        >
          <span
            data-mark={index}
            className="absolute inset-y-0 z-10 w-3 -translate-x-1.5"
            style={{ left: `${place * 100}%` }}
          >
            {steps.length <= MOST_LINES && (
              <span
                className={`absolute inset-y-0 left-1.5 border-l border-dashed ${LINES[tone]}`}
              />
            )}
            <span className={`absolute top-0 left-1.5 h-2 w-2.5 rounded-r-xs ${FLAGS[tone]}`} />
          </span>
        </Tooltip>
      );
    }),
    plot,
  );
}
