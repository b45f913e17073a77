import {
  isGrpcServiceError,
  WithStartWorkflowOperation,
  WorkflowNotFoundError,
  WorkflowUpdateFailedError,
  WorkflowUpdateRPCTimeoutOrCancelledError,
  type Client,
} from '@temporalio/client';
import { ApplicationFailure } from '@temporalio/common';

import type { HeadReport } from '../activities/contract.ts';
import { Unavailable, type Commands } from '../consumers/commands.ts';
import type { CommandAnswer, CommandRequest } from '../rules/command.ts';
import type { consumer, ConsumerArgs } from '../workflows/consumer.ts';
import type { visits, VisitsArgs } from '../workflows/visits.ts';

/** Longer than the lease of a lost sender, whose end an answer may have to wait for, ms. */
const ANSWER_MS = 20_000;
const START_MS = 5_000;
/** A server that is there answers within this time, ms. */
const THERE_MS = 2_000;
/** The type of the server's failure for an update whose run ended before the update was answered. */
const UNANSWERED = 'AcceptedUpdateCompletedWorkflow';

export interface WorkflowClientOptions {
  client: Client;
  taskQueue: string;
  deliveryQueue: string;
  retryWindowMs: number;
}

/** Reaches consumers' workflows. */
export interface Workflows extends Commands {
  /** Starts the consumer's workflow; without effect while it runs. */
  start(consumerId: string): Promise<void>;
  /** Resolves when no call is open. Closing the connection earlier would make calls fail with unhandled errors. */
  settled(): Promise<void>;
  /** Reports to a blocked consumer's workflow how an attempt ended. */
  failing(consumerId: string, failing: HeadReport): Promise<void>;
  /** Signals an idle consumer's workflow that an entry waits, and starts the workflow if it does not run. */
  wake(consumerId: string, position: number): Promise<void>;
  /** Starts the workflow that keeps the region's lanes of visits running, or sets how many there are. */
  startVisits(lanes: number): Promise<void>;
}

/** Creates a client. Commands and wakes start a workflow that is missing. */
export function createWorkflowClient(options: WorkflowClientOptions): Workflows {
  const { client } = options;
  const pending = new Set<Promise<void>>();

  function toStart(consumerId: string) {
    const args: ConsumerArgs = {
      consumerId,
      deliveryQueue: options.deliveryQueue,
      retryWindowMs: options.retryWindowMs,
    };
    return {
      workflowId: workflowIdOf(consumerId),
      taskQueue: options.taskQueue,
      args: [args] as [ConsumerArgs],
      workflowIdReusePolicy: 'ALLOW_DUPLICATE',
      staticSummary: `Consumer ${consumerId}`,
    } as const;
  }

  async function give(consumerId: string, request: CommandRequest): Promise<CommandAnswer> {
    await isThere();
    const updateId = request.editId;
    for (let attempt = 1; ; attempt += 1) {
      try {
        return await within(ANSWER_MS, () =>
          client.workflow.executeUpdateWithStart<typeof consumer, CommandAnswer, [CommandRequest]>(
            'ask',
            {
              updateId,
              args: [request],
              startWorkflowOperation: new WithStartWorkflowOperation<typeof consumer>('consumer', {
                ...toStart(consumerId),
                workflowIdConflictPolicy: 'USE_EXISTING',
              }),
            },
          ),
        );
      } catch (error) {
        if (isAway(error))
          throw new Unavailable('Temporal or its workers do not answer', { cause: error });
        if (attempt < 5 && isUnanswered(error)) continue;
        throw error;
      }
    }
  }

  /** Throws `Unavailable` soon if the server is away, where a call would be tried again until its deadline. */
  async function isThere(): Promise<void> {
    try {
      await within(THERE_MS, () => client.workflowService.getSystemInfo({}));
    } catch (error) {
      throw new Unavailable('Temporal does not answer', { cause: error });
    }
  }

  function within<T>(ms: number, work: () => Promise<T>): Promise<T> {
    const call = client.withDeadline(Date.now() + ms, work);
    const ended = call.then(
      () => undefined,
      () => undefined, // the caller gets the error
    );
    pending.add(ended);
    void ended.then(() => pending.delete(ended));
    return call;
  }

  return {
    give,
    settled: async () => {
      await Promise.all(pending);
    },
    start: async (consumerId) => {
      await within(START_MS, () =>
        client.workflow.start<typeof consumer>('consumer', {
          ...toStart(consumerId),
          workflowIdConflictPolicy: 'USE_EXISTING',
        }),
      );
    },
    startVisits: async (lanes) => {
      const { taskQueue, deliveryQueue } = options;
      const workflowId = visitsIdOf(deliveryQueue);
      if (lanes === 0) {
        await within(START_MS, () =>
          client.workflow.getHandle(workflowId).signal<[number]>('lanes', 0),
        ).catch((error: unknown) => {
          if (!(error instanceof WorkflowNotFoundError)) throw error;
        });
        return;
      }
      await within(START_MS, () =>
        client.workflow.signalWithStart<typeof visits, [number]>('visits', {
          workflowId,
          taskQueue,
          args: [{ deliveryQueue, lanes } satisfies VisitsArgs],
          workflowIdReusePolicy: 'ALLOW_DUPLICATE',
          staticSummary: `Visits of ${deliveryQueue}`,
          signal: 'lanes',
          signalArgs: [lanes],
        }),
      );
    },
    failing: async (consumerId, failing) => {
      await within(START_MS, () =>
        client.workflow.getHandle(workflowIdOf(consumerId)).signal<[unknown]>('failing', failing),
      );
    },
    wake: async (consumerId, position) => {
      // The workflow nearly always runs, and then a plain signal costs Temporal less.
      const { workflowId } = toStart(consumerId);
      const signalled = await within(START_MS, () =>
        client.workflow.getHandle(workflowId).signal<[unknown]>('wake', position),
      ).then(
        () => true,
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        },
      );
      if (signalled) return;
      await within(START_MS, () =>
        client.workflow.signalWithStart<typeof consumer, [unknown]>('consumer', {
          ...toStart(consumerId),
          signal: 'wake',
          signalArgs: [position],
        }),
      );
    },
  };
}

/** The id of the workflow that keeps the lanes of a region running. */
export function visitsIdOf(deliveryQueue: string): string {
  return `visits/${deliveryQueue}`;
}

/** The id of a consumer's workflow. */
export function workflowIdOf(consumerId: string): string {
  return `consumer/${consumerId}`;
}

/** Whether an error means that the server is away, overloaded, or did not answer in time. */
function isAway(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  const grpc = isGrpcServiceError(error) ? error : (error as { cause?: unknown } | null)?.cause;
  // CANCELLED 1, DEADLINE_EXCEEDED 4, RESOURCE_EXHAUSTED 8, UNAVAILABLE 14
  return isGrpcServiceError(grpc) && [1, 4, 8, 14].includes(grpc.code);
}

/** Whether a run accepted the command but ended before it was answered; the next run can take it again. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof WorkflowUpdateFailedError)) return false;
  const { cause } = error;
  return cause instanceof ApplicationFailure && cause.type === UNANSWERED;
}
