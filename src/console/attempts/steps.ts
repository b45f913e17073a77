import type { AttemptTimings } from '../../schema/attemptTrace.ts';

/** One bar of the waterfall. */
export interface Step {
  name: string;
  /** A sentence about the step. */
  about: string;
  /** Before the request, on the way to the endpoint, or by the endpoint. */
  of: 'queue' | 'way' | 'endpoint';
  /** From the beginning of the first step, ms. */
  from: number;
  ms: number;
}

const STEPS: [key: keyof AttemptTimings, name: string, of: Step['of'], about: string][] = [
  ['lane', 'Order', 'queue', 'Entries before it in its order had to be delivered first.'],
  ['pace', 'Limits', 'queue', 'Limits of the target or of the worker delayed the request.'],
  [
    'prepare',
    'Preparation',
    'way',
    'An access token was fetched, or the request was repeated once.',
  ],
  ['connection', 'Connection', 'way', 'All connections to the endpoint were in use.'],
  ['dns', 'DNS', 'way', 'The host name was looked up.'],
  ['connect', 'TCP', 'way', 'The connection was opened.'],
  ['tls', 'TLS', 'way', 'The connection was secured.'],
  ['request', 'Sending', 'endpoint', 'The request was written.'],
  [
    'first_byte',
    'Waiting',
    'endpoint',
    'The endpoint had received the request, but had not answered yet.',
  ],
  ['body', 'Response', 'endpoint', 'The response was read.'],
];

/** The steps that took place, in order, each with its beginning. */
export function stepsOf(timings: AttemptTimings): Step[] {
  const steps: Step[] = [];
  let from = 0;
  for (const [key, name, of, about] of STEPS) {
    const ms = timings[key];
    if (ms === null) continue;
    steps.push({ name, of, about, from, ms });
    from += ms;
  }
  return steps;
}

/** The time of all steps together, ms. */
export function wholeOf(steps: readonly Step[]): number {
  const last = steps.at(-1);
  return last === undefined ? 0 : last.from + last.ms;
}

/** A duration in words: `0.4 ms`, `12 ms`, `3.2 s`. */
export function durationText(ms: number): string {
  if (ms >= 10_000) return `${Math.round(ms / 1_000)} s`;
  if (ms >= 1_000) return `${(ms / 1_000).toFixed(1)} s`;
  return ms >= 10 ? `${Math.round(ms)} ms` : `${Math.round(ms * 10) / 10} ms`;
}
