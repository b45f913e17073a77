import { openReceiver, type TestReceiver } from '../../test/support/receiver.ts';
import { startEndpoint } from '../instruments/endpoint.ts';
import { installationOn, type Installation } from '../instruments/installation.ts';
import type { Rehearsal } from './rehearsal.ts';
import { stepsOf } from './steps.ts';

/** What the steps of a check use. */
export interface CheckSite {
  rehearsal: Rehearsal;
  installation: Installation;
  /** The endpoint of the consumer whose life is checked. */
  receiver: TestReceiver;
}

/**
 * Takes a consumer through its whole life on a rehearsal, and prints one line for each step; true if all went
 * well. It ends with the first step that does not. Rejects when `signal` aborts.
 */
export async function check(
  rehearsal: Rehearsal,
  options: { say: (line: string) => void; signal: AbortSignal },
): Promise<boolean> {
  const { say, signal } = options;
  await using started = new AsyncDisposableStack();
  const receiver = started.use(await openReceiver());
  const endpoint = started.use(await startEndpoint());
  const installation = started.use(
    await installationOn(rehearsal, endpoint, new AsyncDisposableStack()),
  );
  for (const { what, run } of stepsOf({ rehearsal, installation, receiver })) {
    const begun = performance.now();
    const took = (): string => `${((performance.now() - begun) / 1_000).toFixed(1)} s`.padStart(7);
    try {
      const seen = await Promise.race([run(), aborted(signal)]);
      say(`ok     ${took()}  ${what}: ${seen}`);
    } catch (error) {
      if (signal.aborted) throw error;
      const why = error instanceof Error ? error.message : String(error);
      say(`FAILED ${took()}  ${what}: ${why}`);
      return false;
    }
  }
  return true;
}

function aborted(signal: AbortSignal): Promise<never> {
  const { promise, reject } = Promise.withResolvers<never>();
  const abort = (): void => reject(signal.reason as Error);
  if (signal.aborted) abort();
  else signal.addEventListener('abort', abort, { once: true });
  return promise;
}
