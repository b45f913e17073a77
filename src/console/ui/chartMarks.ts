/** Something that happened, which is marked in a chart. */
export interface ChartMark {
  /** Unix ms. */
  at: number;
  tone: 'ok' | 'bad' | 'accent' | 'idle';
  text: string;
}

/** The marks of one step of a chart. */
export interface MarkedStep {
  /** Of the chart's times. */
  index: number;
  /** Where the first of them is: 0 at the left end of the chart, 1 at its right. */
  place: number;
  /** The oldest first. */
  marks: ChartMark[];
}

/** Puts marks, the oldest first, into the steps of a chart. `times`: unix seconds, ascending; what is outside is left out. */
export function markedSteps(times: readonly number[], marks: readonly ChartMark[]): MarkedStep[] {
  const [first, second] = times;
  const last = times.at(-1);
  if (first === undefined || last === undefined || marks.length === 0) return [];
  const step = second === undefined ? 60 : second - first;
  const end = last + step;
  const steps: MarkedStep[] = [];
  for (const mark of marks) {
    const at = mark.at / 1_000;
    if (at < first || at >= end) continue;
    const index = times.findLastIndex((time) => time <= at);
    const known = steps.at(-1);
    if (known?.index === index) known.marks.push(mark);
    else steps.push({ index, place: (at - first) / (end - first), marks: [mark] });
  }
  return steps;
}
