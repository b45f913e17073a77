import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

import type { CommandAnswer, CommandRequest } from '../rules/command.ts';
import type { ConsumerStatus, Filter } from '../schema/consumer.ts';

/** What the workflow is told; the names are part of the public contract. */
export const addSyncs = defineSignal<[unknown]>('addSyncs');
export const removeSyncs = defineSignal<[unknown]>('removeSyncs');
export const addCollections = defineSignal<[unknown]>('addCollections');
export const removeCollections = defineSignal<[unknown]>('removeCollections');
export const addEventTypes = defineSignal<[unknown]>('addEventTypes');
export const removeEventTypes = defineSignal<[unknown]>('removeEventTypes');
export const pause = defineSignal('pause');
export const resume = defineSignal('resume');
export const retryNow = defineSignal('retryNow');

/** The leader saw a match at this position. A hint: what it says is in the cursor, too. */
export const wake = defineSignal<[unknown]>('wake');

/** How the attempt of a `deliver` under way ended: what people see of a failing head. */
export const headReport = defineSignal<[unknown]>('failing');

/** How the API gives a command, by the update `ask`; answered once it is recorded and in force. */
export const command = defineUpdate<CommandAnswer, [CommandRequest]>('ask');

export interface State {
  status: ConsumerStatus;
  status_reason: string | null;
  filter: Filter;
  filter_version: number;
  next_attempt_at: string | null;
  /** The filter's lists were cut to fit. */
  truncated: boolean;
}
export const state = defineQuery<State>('state');
