import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import type { AttemptLog } from '../progress/attemptLog.ts';
import type { Committing } from '../progress/committer.ts';
import type { Lease } from '../progress/lease.ts';
import type { SenderOutcomes } from '../progress/senderOutcomes.ts';
import type { Ending } from './ending.ts';
import type { LiveConfig } from './liveConfig.ts';
import type { Outage } from './outage.ts';

/** The parts of a drain that hand over outcomes, or act when they are stored. */
export interface HandOverOptions {
  consumerId: string;
  lease: Lease;
  slidingWindow: Pick<SlidingWindow<never>, 'settled'>;
  attempts: Pick<AttemptLog, 'toStore'>;
  parked: Pick<ParkedEntries, 'toStore' | 'committed'>;
  outage: Pick<Outage, 'toStore'>;
  liveConfig: Pick<LiveConfig, 'saw'>;
  ending: Pick<Ending, 'reason' | 'fence' | 'fail' | 'concludeWhenQuiet'>;
  /** Called when the lease has been renewed until then (monotonic ms). */
  renewed: (until: number) => void;
  /** Starts what may be sent. */
  pump: () => void;
  /** Cuts every open request. */
  cut: () => void;
}

/** Hands a drain's outcomes to the committer of its process, and acts when they are stored. */
export interface HandOver extends Committing {
  /** The position that was handed over last. */
  readonly position: number;
  /** When something was handed over last (monotonic ms). */
  readonly at: number;
}

/** Creates the hand-over of one drain, to be joined to the committer. */
export function createHandOver(options: HandOverOptions): HandOver {
  const { consumerId, lease, attempts, parked, ending } = options;
  const { epoch } = lease;
  let handedOver = lease.position;
  let at = performance.now();

  function toStore(): SenderOutcomes {
    const { position, ahead } = options.slidingWindow.settled();
    handedOver = position;
    at = performance.now();
    const head = options.outage.toStore();
    return {
      consumerId,
      epoch,
      position,
      ahead,
      ...attempts.toStore(),
      parked: parked.toStore(),
      head,
    };
  }

  return {
    consumerId,
    toStore,
    stored: (committed, until) => {
      if (until !== null) options.renewed(until);
      parked.committed();
      options.liveConfig.saw(committed);
      if (ending.reason === null) options.pump();
    },
    fenced: () => {
      ending.fence();
      options.cut();
      ending.concludeWhenQuiet();
    },
    broken: ending.fail,
    get position() {
      return handedOver;
    },
    get at() {
      return at;
    },
  };
}
