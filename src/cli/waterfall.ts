import type { AttemptTimings } from '../schema/attemptTrace.ts';

/** The part of an attempt that a step belongs to: waiting for something, the way to the endpoint, or the endpoint. */
type Whose = 'queue' | 'way' | 'endpoint';
type Colour = 'gray' | 'cyan' | 'yellow';

/** The steps in their order; docs/cli.md says what each is. */
const STEPS: [key: keyof AttemptTimings, name: string, of: Whose][] = [
  ['lane', 'waited for its lane', 'queue'],
  ['pace', 'waited for its pace', 'queue'],
  ['prepare', 'token or repetition', 'way'],
  ['connection', 'waited for a connection', 'way'],
  ['dns', 'DNS', 'way'],
  ['connect', 'connect', 'way'],
  ['tls', 'TLS', 'way'],
  ['request', 'request', 'endpoint'],
  ['first_byte', 'first byte', 'endpoint'],
  ['body', 'body', 'endpoint'],
];
const COLOURS: Record<Whose, Colour> = { queue: 'gray', way: 'cyan', endpoint: 'yellow' };
const GAP = '  ';
/** Bars are this many characters long together: fewer say nothing, and more say no more. */
const BARS = { least: 10, most: 60 };

/** Where a waterfall is shown. */
export interface WaterfallPlace {
  /** The width of the terminal in characters; null where there is none, and no bars are drawn. */
  width: number | null;
  style: (colour: Colour, text: string) => string;
}

/**
 * The steps of an attempt that happened, a line each: its name, its ms, and a bar from when to when, where
 * there is room for one. No line with a bar is longer than the width.
 */
export function waterfall(timings: AttemptTimings, { width, style }: WaterfallPlace): string[] {
  const steps = STEPS.flatMap(([key, name, of]) => {
    const ms = timings[key];
    return ms === null ? [] : [{ name, of, ms, text: `${ms.toFixed(1)} ms` }];
  });
  const names = Math.max(0, ...steps.map(({ name }) => name.length));
  const texts = Math.max(0, ...steps.map(({ text }) => text.length));
  const room = width === null ? 0 : width - names - texts - 3 * GAP.length;
  const whole = steps.reduce((sum, { ms }) => sum + ms, 0);
  let from = 0;
  return steps.map(({ name, of, ms, text }) => {
    const line = `${GAP}${name.padEnd(names)}${GAP}${text.padStart(texts)}`;
    const bar = barOf({ from, ms, whole }, Math.min(room, BARS.most));
    from += ms;
    return bar === null ? line : `${line}${GAP}${bar.before}${style(COLOURS[of], bar.itself)}`;
  });
}

/** A bar within `width` characters, and the blanks before it; null where that is too little, or nothing took time. */
function barOf(
  { from, ms, whole }: { from: number; ms: number; whole: number },
  width: number,
): { before: string; itself: string } | null {
  if (width < BARS.least || whole === 0) return null;
  const start = Math.min(width - 1, Math.floor((from / whole) * width));
  const length = Math.min(width - start, Math.round((ms / whole) * width));
  return { before: ' '.repeat(start), itself: length === 0 ? '▏' : '█'.repeat(length) };
}
