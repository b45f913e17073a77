/** One line of a scrape. */
export interface Sample {
  name: string;
  labels: Record<string, string>;
  value: number;
}

interface Family {
  type: string;
  samples: Sample[];
}

const NAME = /^[a-zA-Z_:][a-zA-Z0-9_:]*$/u;
const LINE = /^([a-zA-Z_:][a-zA-Z0-9_:]*)(?:\{(.*)\})? (\S+)$/u;
const LABEL = /^([a-zA-Z_][a-zA-Z0-9_]*)="((?:[^"\\\n]|\\[\\n"])*)"(?:,|$)/u;
const TYPES = ['counter', 'gauge', 'histogram', 'summary', 'untyped'];

/**
 * Reads Prometheus' text format 0.0.4 and throws for whatever a strict reader would refuse: a family
 * that comes twice or without a type, a series that comes twice, a histogram that does not add up.
 */
export function parseExposition(text: string): Map<string, Family> {
  if (!text.endsWith('\n')) throw new Error('the last line does not end');
  const families = new Map<string, Family>();
  const helped = new Set<string>();
  const series = new Set<string>();
  let current: string | null = null;
  for (const line of text.split('\n')) {
    if (line === '') continue;
    const [hash, keyword, name = '', ...rest] = line.split(' ');
    if (hash === '#') {
      if (!NAME.test(name)) throw new Error(`no name: ${line}`);
      if (keyword === 'HELP') {
        if (helped.has(name)) throw new Error(`${name} has two HELP lines`);
        helped.add(name);
        current = null;
      } else if (keyword === 'TYPE') {
        if (families.has(name)) throw new Error(`${name} comes twice`);
        if (!TYPES.includes(rest.join(' '))) throw new Error(`no type: ${line}`);
        families.set(name, { type: rest.join(' '), samples: [] });
        current = name;
      } else throw new Error(`neither HELP nor TYPE: ${line}`);
      continue;
    }
    const sample = parseLine(line);
    const family = current === null ? undefined : families.get(current);
    if (family === undefined || !belongs(sample.name, current ?? '', family.type)) {
      throw new Error(`outside of its family: ${line}`);
    }
    const key = sample.name + textOf(sample.labels);
    if (series.has(key)) throw new Error(`twice: ${line}`);
    series.add(key);
    family.samples.push(sample);
  }
  for (const [name, family] of families) check(name, family);
  return families;
}

function parseLine(line: string): Sample {
  const [, name = '', inner, text = ''] = LINE.exec(line) ?? [];
  if (name === '') throw new Error(`not a sample: ${line}`);
  const labels: Record<string, string> = {};
  let rest = inner ?? '';
  while (rest !== '') {
    const [all = '', label = '', value = ''] = LABEL.exec(rest) ?? [];
    if (all === '' || Object.hasOwn(labels, label)) throw new Error(`bad labels: ${line}`);
    labels[label] = value;
    rest = rest.slice(all.length);
  }
  const value = text === '+Inf' ? Infinity : text === '-Inf' ? -Infinity : Number(text);
  if (Number.isNaN(value) && text !== 'NaN' && text !== 'Nan')
    throw new Error(`no number: ${line}`);
  return { name, labels, value };
}

/** The same for the same labels, in whatever order. */
function textOf(labels: Record<string, string>): string {
  return JSON.stringify(Object.entries(labels).sort(([one], [other]) => (one < other ? -1 : 1)));
}

function belongs(sample: string, family: string, type: string): boolean {
  if (type === 'histogram') return [`_bucket`, `_sum`, `_count`].some((x) => sample === family + x);
  if (type === 'summary') return [``, `_sum`, `_count`].some((x) => sample === family + x);
  return sample === family;
}

/** Counters never fall below 0; buckets ascend and end in `+Inf`, which is the count. */
function check(name: string, { type, samples }: Family): void {
  if (type === 'counter' && samples.some(({ value }) => value < 0)) {
    throw new Error(`${name} is a counter below 0`);
  }
  if (type !== 'histogram') return;
  const groups = Map.groupBy(samples, ({ labels }) => {
    const { le: _, ...others } = labels;
    return textOf(others);
  });
  for (const group of groups.values()) {
    const buckets = group.filter((one) => one.name.endsWith('_bucket'));
    const bounds = buckets.map(({ labels }) =>
      labels['le'] === '+Inf' ? Infinity : Number(labels['le']),
    );
    const ascends = (list: number[]): boolean =>
      list.every((value, index) => index === 0 || value >= list[index - 1]!);
    const count = group.find((one) => one.name.endsWith('_count'))?.value;
    if (
      bounds.at(-1) !== Infinity ||
      !ascends(bounds) ||
      !ascends(buckets.map(({ value }) => value)) ||
      buckets.at(-1)?.value !== count
    ) {
      throw new Error(`${name} does not add up`);
    }
  }
}
