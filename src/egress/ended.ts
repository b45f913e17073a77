import {
  isOfBody,
  type Delivered,
  type Failed,
  type Ours,
  type Outcome,
} from '../rules/outcome.ts';
import type { Hiding } from './hide.ts';

/** The outcome of an attempt for which the endpoint, or the way to it, is responsible. */
export type Ended = Delivered | Failed | Ours;

/** Whether nothing of an attempt is kept: it met a fault of this machine that passes, or there was nothing to send. */
export function isOfNothing(outcome: Outcome): boolean {
  if (outcome.kind === 'failed') return isOfBody(outcome);
  return outcome.kind === 'ours' && outcome.lasting === undefined;
}

/** The outcome with the secrets masked that the answer repeats. */
export function withoutSecrets(outcome: Ended, hiding: Hiding, token: string | null): Ended {
  if (outcome.kind === 'ours') return outcome;
  const { responseHead } = outcome;
  return responseHead === null
    ? outcome
    : { ...outcome, responseHead: hiding.of(token)(responseHead) };
}
