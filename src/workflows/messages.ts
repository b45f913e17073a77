import { defineQuery, defineSignal, defineUpdate } from '@temporalio/workflow';

import type { CommandAnswer, CommandRequest } from '../rules/command.ts';
import type { ConsumerStatus, Filter } from '../schema/consumer.ts';

/** The signals that people and the API send. Their names are part of the public contract. */
export const addSyncs = defineSignal<[unknown]>('addSyncs');
export const removeSyncs = defineSignal<[unknown]>('removeSyncs');
export const addCollections = defineSignal<[unknown]>('addCollections');
export const removeCollections = defineSignal<[unknown]>('removeCollections');
export const addEventTypes = defineSignal<[unknown]>('addEventTypes');
export const removeEventTypes = defineSignal<[unknown]>('removeEventTypes');
export const setWhere = defineSignal<[unknown]>('setWhere');
export const pause = defineSignal('pause');
export const resume = defineSignal('resume');
export const retryNow = defineSignal('retryNow');

/** Reports that the leader has found a match at this position. It is only a hint: the cursor has it as well. */
export const wake = defineSignal<[unknown]>('wake');

/** Reports how an attempt of a running `deliver` ended, which people see as the state of a failing head. */
export const headReport = defineSignal<[unknown]>('failing');

/** Sets how many lanes of visits a region has. */
export const lanesOf = defineSignal<[unknown]>('lanes');

/** Has the workflow of a source look whether it is to be followed. */
export const look = defineSignal('look');

/** The update by which the API gives a command; it is answered once the command is recorded and in force. */
export const command = defineUpdate<CommandAnswer, [CommandRequest]>('ask');

/** The answer to the query `state`. */
export interface State {
  status: ConsumerStatus;
  status_reason: string | null;
  filter: Filter;
  filter_version: number;
  next_attempt_at: string | null;
  /** The lasting fault that keeps the consumer from sending, as a sentence. */
  cannot_start: string | null;
  /** Whether the filter's lists were cut to fit. */
  truncated: boolean;
}
/** Queries the consumer's status and filter. */
export const state = defineQuery<State>('state');
