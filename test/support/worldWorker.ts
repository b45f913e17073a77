import { Socket } from 'node:net';

import type { NativeConnection } from '@temporalio/worker';
import { inject } from 'vitest';

import { fileMail, type Send } from '../../src/alerts/mail.ts';
import { createListener } from '../../src/db/listener.ts';
import type { Vault } from '../../src/db/vault.ts';
import { createAppender } from '../../src/streams/append.ts';
import { createWorkers, type WorkersOptions } from '../../src/temporal/workers.ts';
import type { VisitCounts } from '../../src/visits/visitCounts.ts';
import { PATIENT } from './database.ts';

export interface WorkerSettings {
  idleAfterMs?: number;
  slots?: number;
  ownRetriesMs?: number;
  visitRetriesMs?: number;
  /** None unless given: what wakes gets a drain of its own. */
  visitLanes?: number;
  /** Counts visits. */
  visitCounts?: VisitCounts;
  /** Files in `outbox` unless given. */
  sendMail?: Send;
  sendAlertWebhook?: Send;
}

type WorldWorkerOptions = WorkerSettings &
  Pick<
    WorkersOptions,
    'db' | 'egress' | 'client' | 'workflows' | 'taskQueue' | 'deliveryQueue' | 'log'
  > & { databaseUrl: string; native: NativeConnection; outbox: string };

/** A worker of both queues that can be stopped gracefully and followed by another one. */
export function createWorldWorker(options: WorldWorkerOptions): {
  start(retryWindowMs: number, vault: Vault): Promise<void>;
  stop(): Promise<void>;
} {
  const { databaseUrl, native, outbox, log } = options;
  let end: (() => Promise<void>) | null = null;

  async function start(retryWindowMs: number, vault: Vault): Promise<void> {
    const listener = createListener({ url: databaseUrl, log });
    const appender = createAppender({ db: options.db, url: databaseUrl, ...PATIENT, log });
    const workers = await createWorkers({
      ...options,
      vault,
      listener,
      sources: { appender, openSocket: () => new Socket() },
      connection: native,
      namespace: 'default',
      workflowBundle: { codePath: inject('workflowBundle') },
      queues: { control: true, deliver: true },
      version: 'test',
      now: Date.now,
      idleAfterMs: options.idleAfterMs ?? 60_000,
      lingerMs: options.idleAfterMs,
      retryWindowMs,
      eventRetentionMs: 30 * 86_400_000,
      alertEmails: ['ops@example.com'],
      publicUrl: 'http://127.0.0.1:4600',
      sendMail: options.sendMail ?? fileMail(outbox, 'millrace@example.com'),
      sendAlertWebhook: options.sendAlertWebhook ?? null,
      region: 'test',
      visitLanes: options.visitLanes ?? 0,
      slots: options.slots ?? 200,
    });
    const running = workers.run();
    end = async () => {
      workers.shutdown();
      await running;
      await appender.close();
      await listener.close();
    };
  }

  async function stop(): Promise<void> {
    await end?.();
    end = null;
  }

  return { start, stop };
}
