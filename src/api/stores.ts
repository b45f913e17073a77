import type { Logger } from 'pino';

import { createAlertsList, type AlertsList } from '../alerts/alertsList.ts';
import { createAttempts, type Attempts } from '../attempts/attempts.ts';
import { createAttemptWaits, type AttemptWaits } from '../attempts/attemptWaits.ts';
import { createDeadLetters, type DeadLetters } from '../attempts/deadLetters.ts';
import { createParkedList, type ParkedList } from '../attempts/parkedList.ts';
import { createTargetAttempts, type TargetAttempts } from '../attempts/targetAttempts.ts';
import { createChanges, type Changes } from '../consumers/changes.ts';
import { createConsumers, type Consumers } from '../consumers/consumers.ts';
import type { Db } from '../db/db.ts';
import type { Listener } from '../db/listener.ts';
import { createSearch, type Search } from '../search/search.ts';
import { createCheckpoints, type Checkpoints } from '../streams/checkpoints.ts';
import { createPages, type Pages } from '../streams/pages.ts';
import { createPasses, type Passes } from '../streams/passes.ts';
import { createStreamEnds, type StreamEnds } from '../streams/streamEnds.ts';
import { createSyncs, type Syncs } from '../streams/syncs.ts';

/** The data that the API shows and changes without sending anything, with a store for each kind of thing. */
export interface Stores {
  pages: Pages;
  ends: StreamEnds;
  syncs: Syncs;
  passes: Passes;
  checkpoints: Checkpoints;
  consumers: Consumers;
  changes: Changes;
  deadLetters: DeadLetters;
  parked: ParkedList;
  attempts: Attempts;
  attemptWaits: AttemptWaits;
  targetAttempts: TargetAttempts;
  search: Search;
  alerts: AlertsList;
  /** Lets long polls answer with what they have, so that the server can end. */
  close(): void;
}

export interface StoresOptions {
  db: Db;
  listener: Listener;
  region: string;
  /** Whether somebody gets the alerts of a consumer without `alert_emails`. */
  alertsByDefault: boolean;
  eventRetentionMs: number;
  /** Called with the number of records that a full pass has just deleted. */
  onDeleted?: (count: number) => void;
  log: Logger;
}

/** Opens the stores on one database; nothing is read until it is requested. */
export function createStores(options: StoresOptions): Stores {
  const { db, listener, log, onDeleted } = options;
  const ends = createStreamEnds({ sql: db, listener, log });
  const attemptWaits = createAttemptWaits({ sql: db, log });
  return {
    pages: createPages(db),
    ends,
    syncs: createSyncs(db),
    checkpoints: createCheckpoints(db),
    passes: createPasses({ db, ...(onDeleted === undefined ? {} : { onDeleted }) }),
    consumers: createConsumers({
      db,
      region: options.region,
      alertsByDefault: options.alertsByDefault,
      eventRetentionMs: options.eventRetentionMs,
    }),
    changes: createChanges(db),
    deadLetters: createDeadLetters(db),
    parked: createParkedList(db),
    attempts: createAttempts(db),
    attemptWaits,
    targetAttempts: createTargetAttempts(db),
    search: createSearch(db),
    alerts: createAlertsList(db),
    close: () => {
      ends.close();
      attemptWaits.close();
    },
  };
}
