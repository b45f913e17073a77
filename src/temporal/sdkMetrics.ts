import type { MetricsExporterConfig } from '@temporalio/worker';

const SCRAPE_MS = 2_000;

/** Settings with which the SDK serves its own metrics on a loopback port, in seconds and with `_total`. */
export function temporalMetrics(port: number): MetricsExporterConfig {
  return {
    prometheus: {
      bindAddress: `127.0.0.1:${port}`,
      countersTotalSuffix: true,
      unitSuffix: true,
      useSecondsForDurations: true,
    },
  };
}

/** Reads the SDK's metrics from that port. Throws when it does not answer within 2 s. */
export async function readTemporalMetrics(port: number): Promise<string> {
  const response = await fetch(`http://127.0.0.1:${port}/metrics`, {
    signal: AbortSignal.timeout(SCRAPE_MS),
  });
  if (!response.ok) throw new Error(`the Temporal SDK's metrics answer ${response.status}`);
  const text = await response.text();
  return text === '' || text.endsWith('\n') ? text : `${text}\n`;
}
