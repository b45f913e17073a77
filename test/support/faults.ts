import type { CannotSendDeps } from '../../src/activities/cannotSend.ts';
import { createStartFaults } from '../../src/consumers/startFaults.ts';
import type { Db } from '../../src/db/db.ts';

/** Notes what keeps consumers from being sent to, for senders without Temporal; alerts have no recipient. */
export function faultsOf(db: Pick<Db, 'transaction'>): Omit<CannotSendDeps, 'log'> {
  const faults = createStartFaults({
    db,
    alertEmails: [],
    publicUrl: 'https://millrace.test',
    alertWebhook: false,
    retryWindowMs: 86_400_000,
    eventRetentionMs: 30 * 86_400_000,
  });
  return { faults, mailWaits: () => undefined };
}
