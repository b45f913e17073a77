import type { Logger } from 'pino';

import { createAlertsList, type AlertsList } from '../alerts/alertsList.ts';
import { createAttempts, type Attempts } from '../attempts/attempts.ts';
import { createAttemptWaits, type AttemptWaits } from '../attempts/attemptWaits.ts';
import type { Sql } from '../db/db.ts';

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
