import type { Finding } from './finding.ts';
import type { Output } from './output.ts';
import { printable } from './table.ts';

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

/** Prints findings, a line each, with what each consists of and what to do about it below. */
export function showFindings(out: Output, findings: readonly Finding[]): void {
  for (const { name, status, detail, parts = [], fix } of findings) {
    const colour = COLOURS[status];
    out.line(`${out.style(colour, status.padEnd(4))}  ${printable(`${name}: ${detail}`)}`);
    for (const line of [...parts, ...(fix === null ? [] : [fix])]) {
      out.line(`      ${printable(line)}`);
    }
  }
}
