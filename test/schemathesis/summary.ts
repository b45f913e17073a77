import { z } from 'zod';

/** What is read of a report's lines; the rest of them is left alone. */
const Line = z.object({
  ScenarioFinished: z
    .object({
      recorder: z.object({
        interactions: z.record(z.string(), z.unknown()).default({}),
        checks: z
          .record(z.string(), z.array(z.object({ name: z.string(), status: z.string() })))
          .default({}),
      }),
    })
    .optional(),
});

/** Counts the requests of a run and how often each check held and failed, from its report. */
export function summarize(ndjson: string): { requests: number; text: string } {
  const checks = new Map<string, { held: number; failed: number }>();
  let requests = 0;
  for (const line of ndjson.split('\n')) {
    if (!line.startsWith('{"ScenarioFinished"')) continue;
    const recorder = Line.parse(JSON.parse(line)).ScenarioFinished?.recorder;
    requests += Object.keys(recorder?.interactions ?? {}).length;
    for (const { name, status } of Object.values(recorder?.checks ?? {}).flat()) {
      const count = checks.get(name) ?? { held: 0, failed: 0 };
      if (status === 'success') count.held += 1;
      else count.failed += 1;
      checks.set(name, count);
    }
  }
  const rows = [...checks].map(
    ([name, { held, failed }]) =>
      `${name.padEnd(32)}${String(held).padStart(8)} held${String(failed).padStart(8)} failed`,
  );
  return { requests, text: [`${requests} requests`, ...rows].join('\n') };
}
