import { setTimeout as wait } from 'node:timers/promises';

import type { Installation } from './installation.ts';

/** Above this number of CPU seconds in a second, work is still being done. */
const CALM_CORES = 0.3;

/** Whether Temporal and the workers have nothing left to do, by the CPU time that they use in a second. */
export async function isCalm(installation: Installation): Promise<boolean> {
  const { cpu } = await installation.usage(() => wait(1_000));
  const busy = Object.entries(cpu).filter(([name]) => /^(?:Temporal|worker)/u.test(name));
  return busy.reduce((sum, [, seconds]) => sum + seconds, 0) < CALM_CORES;
}
