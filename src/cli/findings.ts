import type { Finding } from './finding.ts';
import type { Output } from './output.ts';

const COLOURS = { ok: 'green', warn: 'yellow', fail: 'red' } as const;

/** Prints findings, a line each, with what to do about it below. */
export function showFindings(out: Output, findings: readonly Finding[]): void {
  for (const { name, status, detail, fix } of findings) {
    out.line(`${out.style(COLOURS[status], status.padEnd(4))}  ${name}: ${detail}`);
    if (fix !== null) out.line(`      ${fix}`);
  }
}
