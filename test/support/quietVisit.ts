import { expect } from 'vitest';

import { DELIVERED } from './heldEndpoint.ts';
import { COMMITTED_MS, openQuietHost, type QuietHost, type QuietHostOptions } from './quietHost.ts';

/** The visits of a test file, one in each test. */
export interface QuietVisit {
  /** Opens a host, and claims its consumer unless told not to. */
  open(options?: QuietHostOptions & { claimed?: boolean }): Promise<QuietHost>;
  readonly host: QuietHost;
  /** The positions of the requests that are open. */
  positions(): number[];
  /** Ends the request that has been open for longest. */
  answer(outcome?: typeof DELIVERED): void;
  /** Answers everything with success, until all has come and is stored. */
  answerAll(): Promise<void>;
  /** Nothing wrong has happened, and a lane that sends to nobody holds nothing of the budget. */
  end(): void;
}

export function createQuietVisit(): QuietVisit {
  let host: QuietHost | null = null;
  const current = (): QuietHost => {
    if (host === null) throw new Error('no host is open');
    return host;
  };
  const answer = (outcome = DELIVERED): void => current().requests[0]?.answer(outcome);

  async function answerAll(): Promise<void> {
    const { requests, store, model, pass, begin } = current();
    for (let quiet = 0; quiet < 5; quiet += 1) {
      if (requests.length > 0) quiet = 0;
      answer();
      await pass(COMMITTED_MS);
      if (!store.row.held) await begin();
    }
    expect(model.missing(store.row.config.filters)).toEqual([]);
    expect(store.row.position).toBe(model.end);
  }

  return {
    open: async ({ claimed = true, ...options } = {}) => {
      host = openQuietHost(options);
      if (claimed) await host.begin();
      return host;
    },
    get host() {
      return current();
    },
    positions: () => current().requests.map(({ position }) => position),
    answer,
    answerAll,
    end: () => {
      const { budget, visits, model } = current();
      const { size } = visits;
      current()[Symbol.dispose]();
      host = null;
      expect(model.wrong).toEqual([]);
      if (size > 0) return;
      const { requests, bytes } = budget;
      expect({ requests: requests.taken, bytes: bytes.taken }).toEqual({ requests: 0, bytes: 0 });
    },
  };
}
