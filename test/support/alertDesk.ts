import pino from 'pino';

import { createAlertsList } from '../../src/alerts/alertsList.ts';
import type { Send } from '../../src/alerts/mail.ts';
import { startOutbox, type Outbox } from '../../src/alerts/outbox.ts';
import { createCommandApplier } from '../../src/consumers/applyCommand.ts';
import { createLifecycle, type Lifecycle } from '../../src/consumers/lifecycle.ts';
import { newId } from '../../src/db/ids.ts';
import type { Alert } from '../../src/schema/alert.ts';
import { createPages } from '../../src/streams/pages.ts';
import { openConsumersApi, type ConsumersApi } from './consumers.ts';
import { until } from './poll.ts';

export const ALERT_OPTIONS = {
  alertEmails: ['ops@example.com'],
  publicUrl: 'https://millrace.test',
  alertWebhook: false,
  retryWindowMs: 86_400_000,
  eventRetentionMs: 30 * 86_400_000,
};

/** Consumers without workflows that stop and go on by what a workflow would call, and their outbox. */
export interface AlertDesk extends AsyncDisposable {
  opened: ConsumersApi;
  lifecycle: Lifecycle;
  resume(consumerId: string): Promise<void>;
  /** Makes every mail that waits due, and sends until nothing waits. */
  sendAll(outbox: Outbox): Promise<void>;
  outbox(send: Send, more?: { sendWebhook?: Send; attemptMs?: number }): Outbox;
  /** The alerts of a consumer, newest first, of one kind. */
  alerts(consumerId: string, kind: Alert['kind']): Promise<Alert[]>;
}

export async function openAlertDesk(more: Partial<typeof ALERT_OPTIONS> = {}): Promise<AlertDesk> {
  const opened = await openConsumersApi();
  const { db } = opened.api;
  const commands = createCommandApplier({ db, pages: createPages });
  return {
    opened,
    lifecycle: createLifecycle({ ...ALERT_OPTIONS, ...more, db }),
    resume: async (consumerId) => {
      const request = { editId: newId(), actor: 'test', command: { kind: 'resume' as const } };
      const answer = await commands.apply(consumerId, request, new Date());
      if (!answer.ok) throw new Error(JSON.stringify(answer));
    },
    sendAll: async (outbox) => {
      await db.query('update outbox set next_try_at = now() where sent_at is null');
      outbox.hint();
      await until(async () => (await db.query(UNSENT)).rowCount === 0);
    },
    outbox: (send, { sendWebhook = null, ...rest }: { sendWebhook?: Send | null } = {}) =>
      startOutbox({
        db,
        send,
        sendWebhook,
        pollMs: 1_000,
        log: pino({ level: 'silent' }),
        ...rest,
      }),
    alerts: async (consumerId, kind) =>
      (
        await createAlertsList(db).list({
          consumerId,
          kind,
          withAddresses: true,
          limit: 100,
          after: null,
        })
      ).data,
    [Symbol.asyncDispose]: () => opened[Symbol.asyncDispose](),
  };
}

const UNSENT = 'select from outbox where sent_at is null and given_up_at is null';
