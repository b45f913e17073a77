import { ApplicationFailure, condition, log, setHandler, uuid4 } from '@temporalio/workflow';

import type { HeadReport } from '../activities/contract.ts';
import type { CommandAnswer, CommandRequest, Command } from '../rules/command.ts';
import type { FilterDelta } from '../schema/consumer.ts';
import * as messages from './messages.ts';

/** A command that waits to be carried out or answered. */
export interface PendingCommand {
  request: CommandRequest;
  answer: CommandAnswer | null;
  /** Set when answering failed for good, so that the caller is not left waiting. */
  error: string | null;
}

/** What signals and updates have brought. Handlers only check and enqueue. */
export interface Mailbox {
  /** The commands that are not carried out yet, in the order of their arrival. */
  readonly commands: PendingCommand[];
  /** The highest position for which the leader has woken the consumer. */
  wanted: number;
  /** How the last attempt at a failing head ended, until it is shown. */
  headReport: HeadReport | null;
  /** A sentence about the last signal that was malformed or refused, for people. */
  note: string | null;
  /** Called when there is another note, so that it is shown immediately. */
  onNote: () => void;
}

type List = 'syncs' | 'collections' | 'event_types';

const LIMIT = { syncs: 255, collections: 511, event_types: 16 } as const;
const EVENT_TYPES = new Set(['created', 'updated', 'deleted', '*']);

/** Sets every handler synchronously, so call it first. A malformed signal is noted and has no effect. */
export function openMailbox(): Mailbox {
  const mailbox: Mailbox = {
    commands: [],
    wanted: 0,
    headReport: null,
    note: null,
    onNote: () => undefined,
  };

  function put(request: CommandRequest): PendingCommand {
    const pending: PendingCommand = { request, answer: null, error: null };
    mailbox.commands.push(pending);
    return pending;
  }

  function putSignal(command: Command): void {
    put({ editId: uuid4(), actor: 'temporal', command });
  }

  function ignored(signal: string, wrong: string): void {
    mailbox.note = `Ignored signal ${signal}: ${wrong}.`;
    log.warn(mailbox.note);
    mailbox.onNote();
  }

  function onList(definition: typeof messages.addSyncs, list: List, verb: 'add' | 'remove'): void {
    const description = `${verb === 'add' ? 'Lets' : 'No longer lets'} entries of these ${list.replace('_', ' ')} through: a JSON array of strings.`;
    setHandler(
      definition,
      (values) => {
        const read = readValues(list, values);
        if ('wrong' in read) {
          ignored(definition.name, read.wrong);
          return;
        }
        const named: Partial<FilterDelta['add']> = { [list]: [...new Set(read.values)] };
        const delta = verb === 'add' ? { add: named, remove: {} } : { add: {}, remove: named };
        putSignal({ kind: 'filter', delta });
      },
      { description },
    );
  }

  onList(messages.addSyncs, 'syncs', 'add');
  onList(messages.removeSyncs, 'syncs', 'remove');
  onList(messages.addCollections, 'collections', 'add');
  onList(messages.removeCollections, 'collections', 'remove');
  onList(messages.addEventTypes, 'event_types', 'add');
  onList(messages.removeEventTypes, 'event_types', 'remove');
  setHandler(
    messages.setWhere,
    (where) => {
      const wrong = whyNoCondition(where);
      if (wrong === null) {
        const delta = { add: {}, remove: {}, where: where as string | null };
        putSignal({ kind: 'filter', delta });
      } else ignored(messages.setWhere.name, wrong);
    },
    {
      description:
        'Sets the condition of the filter, a CEL expression: a JSON string, or null for no condition.',
    },
  );
  setHandler(messages.pause, () => putSignal({ kind: 'pause' }), {
    description: 'Sends nothing until resumed; the position is kept.',
  });
  setHandler(messages.resume, () => putSignal({ kind: 'resume' }), {
    description: 'Continues at the position, with a new retry window.',
  });
  setHandler(messages.retryNow, () => putSignal({ kind: 'retry' }), {
    description: 'Tries what is waiting now; the retry window is not reset.',
  });
  setHandler(
    messages.wake,
    (position) => {
      if (typeof position === 'number' && position > mailbox.wanted) mailbox.wanted = position;
    },
    { description: 'Sent by Millrace itself: an entry is waiting at this position.' },
  );
  setHandler(
    messages.headReport,
    (report) => {
      if (isHeadReport(report)) mailbox.headReport = report;
    },
    { description: 'Sent by Millrace itself: how an attempt at the failing entry ended.' },
  );
  setHandler(
    messages.command,
    async (request) => {
      const pending = put(request);
      await condition(() => pending.answer !== null || pending.error !== null);
      // Any other error would fail the workflow task, again and again.
      if (pending.answer === null) throw ApplicationFailure.nonRetryable(pending.error);
      return pending.answer;
    },
    {
      description: 'Used by the API; people use the signals.',
      validator: (request: unknown) => {
        if (!isCommandRequest(request))
          throw new Error('the argument must be { editId, actor, command }');
      },
    },
  );
  return mailbox;
}

function isHeadReport(value: unknown): value is HeadReport {
  if (typeof value !== 'object' || value === null) return false;
  const { attempt, nextAttemptAt, lastFailure } = value as Partial<
    Record<keyof HeadReport, unknown>
  >;
  if (typeof attempt !== 'number' || typeof lastFailure !== 'object') return false;
  return nextAttemptAt === null || typeof nextAttemptAt === 'string';
}

const COMMANDS: Record<Command['kind'], true> = {
  pause: true,
  resume: true,
  retry: true,
  delete: true,
  seek: true,
  filter: true,
  patch: true,
  replay: true,
  resend: true,
  stored: true,
};

/** Whether a value has the shape of a request; its command is checked where it is applied. */
function isCommandRequest(value: unknown): value is CommandRequest {
  if (typeof value !== 'object' || value === null) return false;
  const { editId, actor, command } = value as Partial<Record<keyof CommandRequest, unknown>>;
  if (typeof editId !== 'string' || typeof actor !== 'string') return false;
  if (typeof command !== 'object' || command === null || !('kind' in command)) return false;
  return typeof command.kind === 'string' && Object.hasOwn(COMMANDS, command.kind);
}

/** Why a signal's argument can be no condition; null: it may be one, which is checked where it is applied. */
function whyNoCondition(argument: unknown): string | null {
  if (argument === null) return null;
  const isText = typeof argument === 'string' && argument !== '' && argument.length <= 4096;
  return isText && !argument.includes('\u0000')
    ? null
    : 'the argument must be a JSON string of 1–4096 characters, or null';
}

/** The values of a signal's argument, or the reason why it cannot be used. */
function readValues(list: List, argument: unknown): { values: string[] } | { wrong: string } {
  if (!Array.isArray(argument)) return { wrong: 'the argument must be a JSON array of strings' };
  if (argument.length > 10_000) return { wrong: 'the argument must have at most 10,000 values' };
  const values: string[] = [];
  for (const value of argument as unknown[]) {
    if (
      typeof value !== 'string' ||
      value === '' ||
      value.length > LIMIT[list] ||
      value.includes('\u0000')
    ) {
      return { wrong: `each value must be a string of 1–${LIMIT[list]} characters` };
    }
    if (list === 'event_types' && !EVENT_TYPES.has(value)) {
      return { wrong: `"${value}" is not an event type (created, updated, deleted, *)` };
    }
    if (list === 'collections' && value !== '*' && !/^[^:]+:.+$/su.test(value)) {
      return { wrong: `"${value}" is not provider:name` };
    }
    values.push(value);
  }
  if (values.length > 1 && values.includes('*')) return { wrong: '"*" must be the only value' };
  return { values };
}
