import type uPlot from 'uplot';

const MONTHS = 'Jan Feb Mar Apr May Jun Jul Aug Sep Oct Nov Dec'.split(' ');

/** The label of a moment on a time axis, from `2026-11-22 14:02:07`: `14:02`, at midnight the day, `22 Nov`. */
export function axisTime(text: string): string {
  const clock = text.slice(11, 16);
  if (clock !== '00:00') return clock;
  return `${Number(text.slice(8, 10))} ${MONTHS[Number(text.slice(5, 7)) - 1] ?? ''}`;
}

/** The size of an axis's letters in CSS pixels: never below 12, and as large as the browser's setting asks for. */
export function axisLetters(): number {
  const root = parseFloat(getComputedStyle(document.documentElement).fontSize);
  return Math.max(12, Math.round((root * 12) / 14));
}

/** The width of a vertical axis: as much as its longest label takes, so that none is cut. */
export function axisWidth(plot: uPlot, labels: string[] | null, at: number): number {
  const { font, gap = 0, ticks } = plot.axes[at] as uPlot.Axis & { font: [string] };
  plot.ctx.font = font[0];
  const widths = (labels ?? []).map((label) => plot.ctx.measureText(label).width);
  return Math.ceil(Math.max(0, ...widths) / devicePixelRatio + gap + (ticks?.size ?? 0) + 2);
}
