import type { BareResult, BareSettings } from './bare.ts';
import { runChild } from './child.ts';
import type { Installation } from './installation.ts';

/** Runs the bare loop in a process of its own, against the receiver of `installation`, which counts anew. */
export async function runBare(
  installation: Installation,
  settings: Omit<BareSettings, 'url'>,
): Promise<BareResult> {
  const { endpoint } = installation;
  await endpoint.reset();
  return await runChild<BareResult>(new URL('./bare.ts', import.meta.url), {
    ...settings,
    url: endpoint.url,
  } satisfies BareSettings);
}
