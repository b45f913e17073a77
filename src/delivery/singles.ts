import type { Outgoing } from '../failure/outgoing.ts';
import { createDispatcher } from '../flow/dispatcher.ts';
import type { Landing } from './landing.ts';
import { createSendSlot } from './sendSlot.ts';
import type { Way } from './way.ts';

/** Creates the way of a consumer's entries into requests of their own, and back. */
export function createSingles(): Way {
  let landing: Landing;
  let send: (slot: Outgoing) => void;
  return {
    dispatcher: (flow) => createDispatcher<Outgoing>({ ...flow, send: (slot) => send(slot) }),
    begin: (stations) => {
      ({ landing } = stations);
      send = createSendSlot(stations);
    },
    landed: (slot, outcome, at, ms, mono) => landing.ended(slot, outcome, at, ms, mono),
    failures: undefined,
    gathers: () => false,
    close: () => undefined,
  };
}
