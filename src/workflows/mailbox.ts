import { condition, log, setHandler, uuid4 } from '@temporalio/workflow';

import type { Answer, Ask, Command } from '../command.ts';
import type { FilterDelta } from '../schema.ts';
import * as messages from './messages.ts';

export interface Letter {
  ask: Ask;
  answer: Answer | null;
  /** Set when answering failed for good, so that the asker is not left waiting. */
  error: string | null;
}

/** Commands in the order of their arrival, and the highest wake. Handlers only check and enqueue. */
export interface Mailbox {
  readonly letters: Letter[];
  /** Highest position the leader wanted delivered. */
  wanted: number;
  /** The last malformed signal, for people. */
  note: string | null;
}

type List = 'syncs' | 'collections' | 'event_types';

const LIMIT = { syncs: 255, collections: 511, event_types: 16 } as const;
const EVENT_TYPES = new Set(['created', 'updated', 'deleted', '*']);

/** Sets every handler, synchronously: call it first. A malformed signal is noted and has no effect. */
export function openMailbox(): Mailbox {
  const mailbox: Mailbox = { letters: [], wanted: 0, note: null };

  function put(ask: Ask): Letter {
    const letter: Letter = { ask, answer: null, error: null };
    mailbox.letters.push(letter);
    return letter;
  }

  function putSignal(command: Command): void {
    put({ editId: uuid4(), actor: 'temporal', command });
  }

  function onList(definition: typeof messages.addSyncs, list: List, verb: 'add' | 'remove'): void {
    const description = `${verb === 'add' ? 'Lets' : 'No longer lets'} entries of these ${list} through: a JSON array of strings.`;
    setHandler(
      definition,
      (values) => {
        const wrong = whatIsWrong(list, values);
        if (wrong !== null) {
          mailbox.note = `Ignored signal ${definition.name}: ${wrong}.`;
          log.warn(mailbox.note);
          return;
        }
        const delta = {
          add: {},
          remove: {},
          [verb]: { [list]: [...new Set(values as unknown[])] },
        };
        putSignal({ kind: 'filter', delta: delta as FilterDelta });
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
  setHandler(messages.pause, () => putSignal({ kind: 'pause' }), {
    description: 'Sends nothing until resumed; the position is kept.',
  });
  setHandler(messages.resume, () => putSignal({ kind: 'resume' }), {
    description: 'Goes on at the position.',
  });
  setHandler(messages.retryNow, () => putSignal({ kind: 'retry' }), {
    description: 'Tries what waits at once; the 24 hours keep running.',
  });
  setHandler(messages.wake, (position) => {
    if (typeof position === 'number' && position > mailbox.wanted) mailbox.wanted = position;
  });
  setHandler(messages.ask, async (asked) => {
    const letter = put(asked);
    await condition(() => letter.answer !== null || letter.error !== null);
    if (letter.answer === null) throw new Error(letter.error ?? 'not answered');
    return letter.answer;
  });
  return mailbox;
}

/** Why a signal's argument can't be used; null when it can. */
function whatIsWrong(list: List, values: unknown): string | null {
  if (!Array.isArray(values)) return 'the argument must be a JSON array of strings';
  if (values.length > 10_000) return 'at most 10,000 values';
  for (const value of values as unknown[]) {
    if (
      typeof value !== 'string' ||
      value === '' ||
      value.length > LIMIT[list] ||
      value.includes('\u0000')
    ) {
      return `each value must be a string of 1–${LIMIT[list]} characters`;
    }
    if (list === 'event_types' && !EVENT_TYPES.has(value)) {
      return `"${value}" is no event type (created, updated, deleted, *)`;
    }
    if (list === 'collections' && value !== '*' && !/^[^:]+:.+$/su.test(value)) {
      return `"${value}" is not provider:name`;
    }
  }
  if (values.length > 1 && values.includes('*')) return '"*" stands alone';
  return null;
}
