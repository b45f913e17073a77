import { styleText } from 'node:util';

import type { Arrival, Progress } from './demoReceiver.ts';

/** Writes for people to stderr. A terminal shows progress in one line; a file gets a line now and then. */
export interface Screen {
  /** Prints a line. */
  say(line: string): void;
  /** Prints a heading. */
  head(line: string): void;
  arrival(arrival: Arrival): void;
  /** Shows progress; outside a terminal at most every 3 s. */
  progress(progress: Progress): void;
  /** Prints the result of a step, in place of its progress. */
  settle(progress: Progress, seconds: number): void;
}

/**
 * Called with what came of a demo and with what to try next, before its parts end; resolves at once, or at Ctrl-C when
 * the demo stays up.
 */
export type WhenDone = (counts: object, hints: readonly string[]) => Promise<void>;

const PLAIN_EVERY_MS = 3_000;
const RATE_OVER_MS = 1_000;

/** Writes to `output`; replaces the progress line when that is a terminal. */
export function createScreen(output: NodeJS.WriteStream): Screen {
  const isTerminal = output.isTTY;
  let temporary = false;
  let plainAt = performance.now();
  let samples: { at: number; delivered: number }[] = [];

  function say(line: string): void {
    output.write(`${temporary ? '\r\u001b[2K' : ''}${line}\n`);
    temporary = false;
  }

  function paint(format: Parameters<typeof styleText>[0], text: string): string {
    return styleText(format, text, { stream: output });
  }

  function arrival(one: Arrival): void {
    const mark = one.problem === null ? paint('green', '✓') : paint('red', '✗');
    const why = one.problem === null ? '' : `  ${one.problem}`;
    const after = one.afterMs === null ? '' : paint('dim', `  ${one.afterMs} ms after its append`);
    const what = `${one.stream.padEnd(7)} ${one.what.padEnd(13)} ${one.collection}`;
    say(`   ${mark} ${what} ${one.record}${after}${why}`);
  }

  function progress(now: Progress): void {
    const at = performance.now();
    const first = samples.find((sample) => at - sample.at <= RATE_OVER_MS) ?? samples.at(-1);
    samples = [...samples, { at, delivered: now.delivered }].slice(-50);
    const rate =
      first === undefined || at === first.at
        ? 0
        : ((now.delivered - first.delivered) / (at - first.at)) * 1_000;
    if (now.remaining === 0 || rate <= 0) return;
    const done = now.total - now.remaining;
    const line = `     ${count(done)} of ${count(now.total)} delivered · ${count(rate)} a second · ${count(now.remaining)} to go`;
    if (isTerminal) {
      output.write(`\r\u001b[2K${paint('cyan', line)}`);
      temporary = true;
    } else if (at - plainAt > PLAIN_EVERY_MS) {
      plainAt = at;
      say(line);
    }
  }

  return {
    say,
    head: (line) => {
      say(`\n${paint('bold', line)}`);
      plainAt = performance.now();
      samples = [];
    },
    arrival,
    progress,
    settle: (now, seconds) => {
      const out =
        now.filtered === 0 ? '' : `; the filter leaves out another ${count(now.filtered)}`;
      say(
        `     all ${count(now.total)} have arrived after ${seconds.toFixed(1)} s, each verified${out}`,
      );
    },
  };
}

/** Prints a whole number with separators: `8,123`. */
export function count(number: number): string {
  return Math.round(number).toLocaleString('en');
}
