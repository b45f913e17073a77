import type { Logger } from 'pino';

import { createAlertsList, type AlertsList } from './alertsList.ts';
import { createAttempts, type Attempts } from './attempts.ts';
import { createAttemptWaits, type AttemptWaits } from './attemptWaits.ts';
import type { Sql } from './db.ts';

/** What people look at: read only, of tables that senders write. */
export interface Reads {
  attempts: Attempts;
  waits: AttemptWaits;
  alerts: AlertsList;
}

/** `waits.close()` lets long polls go. */
export function createReads({ sql, log }: { sql: Sql; log: Pick<Logger, 'warn'> }): Reads {
  return {
    attempts: createAttempts(sql),
    waits: createAttemptWaits({ sql, log }),
    alerts: createAlertsList(sql),
  };
}
