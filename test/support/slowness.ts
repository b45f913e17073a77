import { setTimeout as wait } from 'node:timers/promises';

/** How slow the machine is meanwhile, for promises about time, which hold where it has time to keep them. */
export interface Slowness extends Disposable {
  /** By how much what is asked again and again has taken longer, in all, than it takes on an idle machine, ms. */
  ms(): number;
}

const PAUSE_MS = 10;
/** For what is asked, and the pause before it. */
const IDLE_MS = 60;

/** Watches until it is disposed of; `ask` is something small of the process and the servers that the promise is about. */
export function watchSlowness(ask: () => Promise<unknown>): Slowness {
  let isOver = false;
  let total = 0;
  let from = performance.now();
  const late = (): number => Math.max(0, performance.now() - from - IDLE_MS);

  async function watch(): Promise<void> {
    while (!isOver) {
      from = performance.now();
      await wait(PAUSE_MS);
      await ask();
      total += late();
    }
  }

  void watch().catch(() => undefined); // whoever waits for the promise sees that the server is away
  return {
    ms: () => total + late(),
    [Symbol.dispose]: () => {
      isOver = true;
    },
  };
}
