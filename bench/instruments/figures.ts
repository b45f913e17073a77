/** A measured number, with its goal. */
export interface Figure {
  name: string;
  value: number;
  unit: string;
  /** Goals are for a machine that runs nothing else. */
  goal?: { most: number } | { least: number };
  note?: string;
}

/** False when the figure misses its goal; null when it has none. */
export function reaches({ value, goal }: Figure): boolean | null {
  if (goal === undefined) return null;
  return 'most' in goal ? value <= goal.most : value >= goal.least;
}

/** A table for people: one line for each figure, with its goal. */
export function tableOf(title: string, figures: readonly Figure[]): string {
  const rows = figures.map((figure) => [
    figure.name,
    show(figure.value),
    figure.unit,
    goalText(figure),
    figure.note ?? '',
  ]);
  const widths = [0, 1, 2, 3].map((column) =>
    Math.max(...rows.map((row) => (row[column] as string).length)),
  );
  const lines = rows.map(([name = '', value = '', unit = '', goal = '', note = '']) =>
    `  ${name.padEnd(widths[0] ?? 0)}  ${value.padStart(widths[1] ?? 0)} ${unit.padEnd(widths[2] ?? 0)}  ${goal.padEnd(widths[3] ?? 0)}  ${note}`.trimEnd(),
  );
  return `\n${title}\n${lines.join('\n')}\n`;
}

function goalText(figure: Figure): string {
  const { goal } = figure;
  if (goal === undefined) return '';
  const text = 'most' in goal ? `≤ ${show(goal.most)}` : `≥ ${show(goal.least)}`;
  return `${reaches(figure) === true ? 'ok    ' : 'MISSED'} ${text}`;
}

function show(value: number): string {
  const digits = Math.abs(value) >= 100 ? 0 : Math.abs(value) >= 10 ? 1 : 3;
  return value.toLocaleString('en-US', { maximumFractionDigits: digits });
}

/** The figures of one part of a bench, with the name of the part before theirs. */
export function named(part: string, figures: readonly Figure[]): Figure[] {
  return figures.map((figure) => ({ ...figure, name: `${part}: ${figure.name}` }));
}
