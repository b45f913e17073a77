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
import { memoOf, memoText, summaryOf } from '../workflows/memo.ts';
import { publishedText, searchAttributes } from '../workflows/searchAttributes.ts';

/** Longer than the lease of a lost sender, whose end an answer may have to wait for, ms. */
const ANSWER_MS = 20_000;
const START_MS = 5_000;
/** A server that is not away answers within this time, ms. */
const THERE_MS = 2_000;
/** The type of the server's failure for an update whose run ended before the update was answered. */
const UNANSWERED = 'AcceptedUpdateCompletedWorkflow';

export interface WorkflowClientOptions {
  client: Client;
  /** For calls that wait for their turn in the process's queue; `client` unless given. */
  pacedClient?: Client;
  taskQueue: string;
  deliveryQueue: string;
  /** The delivery queue of a region; `deliveryQueue` for all of them unless given. */
  deliveryQueueOf?: (region: string) => string;
  /** Reads the facts about a consumer, for a workflow that is started for another reason than `start`. */
  consumerOf?: (consumerId: string) => Promise<KnownAtStart | null>;
  retryWindowMs: number;
  /** Where the console is; its URL without a path. */
  publicUrl: string;
  /** Each call may take so long, where that is more than it may usually take, ms. */
  patienceMs?: number;
}

/** The facts about a consumer whose workflow is started. */
export interface KnownAtStart {
  region: string;
  name: string;
  targetName: string;
  /** The target of an active consumer, so that the workflow need not show it first. */
  activeAt?: { targetHost: string; targetId: string };
}

/** Reaches consumers' workflows. */
export interface Workflows extends Commands {
  /** Starts the consumer's workflow, with what is known of the consumer; without effect while it runs. */
  start(consumerId: string, known?: KnownAtStart): Promise<void>;
  /** Resolves when no call is open. Closing the connection earlier would make calls fail with unhandled errors. */
  settled(): Promise<void>;
  /** Reports to a blocked consumer's workflow how an attempt ended. */
  failing(consumerId: string, failing: HeadReport): Promise<void>;
  /** Signals an idle consumer's workflow that an entry waits, and starts the workflow if it does not run. */
  wake(consumerId: string, position: number): Promise<void>;
}

/** Creates a client. Commands and wakes start a workflow that is missing. */
export function createWorkflowClient(options: WorkflowClientOptions): Workflows {
  const { client, pacedClient = client, patienceMs = 0 } = options;
  const pending = new Set<Promise<void>>();

  const toStart = (consumerId: string, known?: KnownAtStart) => startOf(options, consumerId, known);

  async function give(consumerId: string, request: CommandRequest): Promise<CommandAnswer> {
    await isThere();
    const toBegin = await toStart(consumerId);
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
                ...toBegin,
                workflowIdConflictPolicy: 'USE_EXISTING',
              }),
            },
          ),
        );
      } catch (error) {
        if (isAway(error) || isHeldUp(error))
          throw new Unavailable('Temporal or its workers do not answer', { cause: error });
        if (attempt < 5 && isUnanswered(error)) continue;
        throw error;
      }
    }
  }

  /** Throws `Unavailable` soon if the server is away, while a call would be tried again until its deadline. */
  async function isThere(): Promise<void> {
    try {
      await within(THERE_MS, () => client.workflowService.getSystemInfo({}));
    } catch (error) {
      throw new Unavailable('Temporal does not answer', { cause: error });
    }
  }

  function within<T>(ms: number, work: () => Promise<T>, by = client): Promise<T> {
    const call = by.withDeadline(Date.now() + Math.max(ms, patienceMs), work);
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
    start: async (consumerId, known) => {
      const toBegin = await toStart(consumerId, known);
      await within(
        START_MS,
        () =>
          pacedClient.workflow.start<typeof consumer>('consumer', {
            ...toBegin,
            workflowIdConflictPolicy: 'USE_EXISTING',
          }),
        pacedClient,
      );
    },
    failing: async (consumerId, failing) => {
      const workflowId = workflowIdOf(consumerId);
      await within(
        START_MS,
        () => pacedClient.workflow.getHandle(workflowId).signal<[unknown]>('failing', failing),
        pacedClient,
      );
    },
    wake: async (consumerId, position) => {
      // The workflow nearly always runs, and then a plain signal costs Temporal less.
      const workflowId = workflowIdOf(consumerId);
      const signalled = await within(
        START_MS,
        () => pacedClient.workflow.getHandle(workflowId).signal<[unknown]>('wake', position),
        pacedClient,
      ).then(
        () => true,
        (error: unknown) => {
          if (error instanceof WorkflowNotFoundError) return false;
          throw error;
        },
      );
      if (signalled) return;
      const toBegin = await toStart(consumerId);
      await within(
        START_MS,
        () =>
          pacedClient.workflow.signalWithStart<typeof consumer, [unknown]>('consumer', {
            ...toBegin,
            signal: 'wake',
            signalArgs: [position],
          }),
        pacedClient,
      );
    },
  };
}

/** What Temporal needs to start a consumer's workflow. */
async function startOf(options: WorkflowClientOptions, consumerId: string, known?: KnownAtStart) {
  const of = known ?? (await options.consumerOf?.(consumerId)) ?? null;
  const own = of === null ? undefined : options.deliveryQueueOf?.(of.region);
  const shown = of === null ? null : shownOf(of, `${options.publicUrl}/consumers/${consumerId}`);
  const args: ConsumerArgs = {
    consumerId,
    deliveryQueue: own ?? options.deliveryQueue,
    retryWindowMs: options.retryWindowMs,
    ...(shown === null ? {} : { carried: { wanted: 0, note: null, ...shown.written } }),
  };
  return {
    workflowId: workflowIdOf(consumerId),
    taskQueue: options.taskQueue,
    args: [args] as [ConsumerArgs],
    workflowIdReusePolicy: 'ALLOW_DUPLICATE',
    staticSummary: `Consumer ${consumerId}`,
    ...shown?.fields,
  } as const;
}

/** What the Temporal UI shows about a consumer from the start, in the form in which the workflow learns of it. */
function shownOf({ name, targetName, activeAt }: KnownAtStart, consolePage: string) {
  const memorized = { name, targetName, consolePage };
  const attributed = activeAt === undefined ? null : { status: 'active' as const, ...activeAt };
  return {
    written: {
      published: attributed === null ? '' : publishedText(attributed),
      memo: memoText(memorized),
    },
    fields: {
      staticSummary: summaryOf(memorized),
      memo: memoOf(memorized),
      ...(attributed === null ? {} : { typedSearchAttributes: searchAttributes(attributed) }),
    },
  };
}

/** The id of a consumer's workflow. */
export function workflowIdOf(consumerId: string): string {
  return `consumer/${consumerId}`;
}

/** Whether an error means that the server is away, overloaded, or did not answer in time. */
function isAway(error: unknown): boolean {
  if (error instanceof WorkflowUpdateRPCTimeoutOrCancelledError) return true;
  // CANCELLED 1, DEADLINE_EXCEEDED 4, RESOURCE_EXHAUSTED 8, UNAVAILABLE 14
  return [1, 4, 8, 14].includes(codeOf(error) ?? 0);
}

/**
 * Whether an error means that the workflow's last task has failed, or was not completed in time, so that
 * Temporal accepts no update until the task has been repeated. Only the text distinguishes it from other
 * preconditions (FAILED_PRECONDITION 9).
 */
function isHeldUp(error: unknown): boolean {
  return codeOf(error) === 9 && /workflow task in failed state/iu.test(String(error));
}

/** Whether an error is Temporal's answer to this one call, which does not mean that the server is busy. */
export function isRefusal(error: unknown): boolean {
  if (error instanceof WorkflowNotFoundError) return true;
  // INVALID_ARGUMENT 3, NOT_FOUND 5, ALREADY_EXISTS 6, FAILED_PRECONDITION 9, OUT_OF_RANGE 11
  return [3, 5, 6, 9, 11].includes(codeOf(error) ?? 0);
}

/** The gRPC status of an error or of its cause; null without one. */
function codeOf(error: unknown): number | null {
  const grpc = isGrpcServiceError(error) ? error : (error as { cause?: unknown } | null)?.cause;
  return isGrpcServiceError(grpc) ? grpc.code : null;
}

/** Whether a run accepted the command but ended before it was answered; the next run can take it again. */
function isUnanswered(error: unknown): boolean {
  if (!(error instanceof WorkflowUpdateFailedError)) return false;
  const { cause } = error;
  return cause instanceof ApplicationFailure && cause.type === UNANSWERED;
}
