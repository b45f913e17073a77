/**
 * What `@temporalio/workflow` is in a test that runs a workflow without a Temporal server: the
 * same names, on the test's clock. The host calls the activities; `evaluate` is called whenever
 * something may have changed.
 */
import { randomUUID } from 'node:crypto';

import { ActivityFailure, CancelledFailure } from '@temporalio/common';

export { ActivityFailure, ApplicationFailure } from '@temporalio/common';

export interface ActivityOptions {
  taskQueue?: string;
  scheduleToCloseTimeout?: number;
  retry?: { maximumAttempts?: number };
}

export interface Host {
  activity(
    name: string,
    input: unknown,
    options: ActivityOptions,
    scope: CancellationScope | null,
  ): Promise<unknown>;
}

interface Waiting {
  ready: () => boolean;
  resolve: (ready: boolean) => void;
}

type Handler = (...args: unknown[]) => unknown;

let host: Host | null = null;
let waiting = new Set<Waiting>();
let handlers = new Map<string, Handler>();
let answering = 0;
let began = new Date();
let scoped: CancellationScope | null = null;

/** Runs a workflow, over its continue-as-new, until it returns or fails. One at a time. */
export async function runWorkflow<Args>(
  workflow: (args: Args) => Promise<void>,
  first: Args,
  on: Host,
): Promise<void> {
  host = on;
  waiting = new Set();
  answering = 0;
  for (let args = first; ;) {
    handlers = new Map();
    began = new Date();
    try {
      return await workflow(args);
    } catch (error) {
      if (!(error instanceof ContinueAsNew)) throw error;
      args = error.args as Args;
    }
  }
}

/** The workflow goes on no more: whatever it calls never returns. */
export function abandon(): void {
  host = { activity: () => new Promise(() => undefined) };
  waiting = new Set();
}

/** A signal or an update, by its name. */
export async function tell(name: string, argument?: unknown): Promise<unknown> {
  const handler = handlers.get(name);
  if (handler === undefined) throw new Error(`the workflow has no handler ${name}`);
  answering += 1;
  try {
    return await handler(argument);
  } finally {
    answering -= 1;
  }
}

/** Lets whatever waits for a condition that holds by now go on; whether anything did. */
export function evaluate(): boolean {
  let found = false;
  for (const one of waiting) {
    if (!one.ready()) continue;
    waiting.delete(one);
    found = true;
    one.resolve(true);
  }
  return found;
}

// ── what the workflow imports ────────────────────────────────────────────────────────────

class ContinueAsNew extends Error {
  readonly args: unknown;

  constructor(args: unknown) {
    super('continue as new');
    this.args = args;
  }
}

export class CancellationScope {
  cancelled = false;
  readonly onCancel = new Set<() => void>();

  run<T>(work: () => Promise<T>): Promise<T> {
    return within(this, work);
  }

  cancel(): void {
    this.cancelled = true;
    for (const call of this.onCancel) call();
  }
}

/** What is called before `work` first waits belongs to the scope. */
function within<T>(scope: CancellationScope, work: () => Promise<T>): Promise<T> {
  const before = scoped;
  scoped = scope;
  try {
    return work();
  } finally {
    scoped = before;
  }
}

export function condition(ready: () => boolean, timeoutMs?: number): Promise<boolean> {
  if (ready()) return Promise.resolve(true);
  const { promise, resolve } = Promise.withResolvers<boolean>();
  const one = { ready, resolve };
  waiting.add(one);
  if (timeoutMs === undefined) return promise;
  const timer = setTimeout(() => {
    if (waiting.delete(one)) resolve(false);
  }, Math.ceil(timeoutMs));
  return promise.finally(() => clearTimeout(timer));
}

export function proxyActivities(options: ActivityOptions): object {
  return new Proxy(
    {},
    {
      get: (_target, name) => (input: unknown) =>
        host?.activity(String(name), input, options, scoped),
    },
  );
}

export const proxyLocalActivities = proxyActivities;

export function setHandler(definition: { name: string }, handler: Handler): void {
  handlers.set(definition.name, handler);
}

export function continueAsNew(args: unknown): Promise<never> {
  return Promise.reject(new ContinueAsNew(args));
}

export function isCancellation(error: unknown): boolean {
  if (error instanceof CancelledFailure) return true;
  return error instanceof ActivityFailure && isCancellation(error.cause);
}

export const allHandlersFinished = (): boolean => answering === 0;
export const workflowInfo = (): object => ({ continueAsNewSuggested: false, runStartTime: began });
export const patched = (): boolean => true;
export const uuid4 = (): string => randomUUID();
export const setCurrentDetails = (): void => undefined;
export const upsertSearchAttributes = (): void => undefined;
export const upsertMemo = (): void => undefined;
export const log = { info: setCurrentDetails, warn: setCurrentDetails, error: setCurrentDetails };
export const defineQuery = (name: string): object => ({ name });
export const defineSignal = defineQuery;
export const defineUpdate = defineQuery;
