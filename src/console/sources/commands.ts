import type { Source, SourceTable } from '../../schema/source.ts';
import { amount, listed } from '../words.ts';
import { keptText } from './state.ts';

/** A command that is asked for: `read`: tables are read again; `confirm`: what that would delete is deleted. */
export type Command =
  | { verb: 'pause' | 'resume' | 'forget' }
  | { verb: 'read'; tables: string[] }
  | { verb: 'confirm'; table: SourceTable };

interface Plan {
  title: string;
  /** What will happen. */
  text: string;
  button: string;
  kind: 'main' | 'danger';
}

/** The command that holds a source or lets it go on; null where neither has an effect. */
export function mainVerb({ status }: Pick<Source, 'status'>): 'pause' | 'resume' | null {
  if (status === 'deleting') return null;
  return status === 'active' ? 'pause' : 'resume';
}

/** What a command will do to this source, before it is given. */
export function planOf(command: Command, source: Source): Plan {
  const { name } = source;
  switch (command.verb) {
    case 'pause':
      return {
        title: `Pause ${name}?`,
        text: `Nothing is read until it is resumed, and then it goes on where it stopped. ${keptText(source)}`,
        button: 'Pause',
        kind: 'main',
      };
    case 'resume':
      return {
        title: `Resume ${name}?`,
        text: `It goes on where it stopped. What still keeps it from being read is told of again.`,
        button: 'Resume',
        kind: 'main',
      };
    case 'read':
      return readPlan(command.tables, source);
    case 'confirm':
      return {
        title: `Delete records of ${command.table.table}?`,
        text: `${command.table.detail ?? 'Reading it anew would delete more than a fifth of its records.'} Each record that is deleted is an event, and consumers send it. To keep the records, read the table again once its rows are back.`,
        button: 'Delete these records',
        kind: 'danger',
      };
    case 'forget':
      return {
        title: `Forget ${name} without its database?`,
        text: 'It is deleted here at once. Its slot and its publication stay in its database, where the slot keeps the log until somebody drops it. Run these statements there as soon as it can be reached:',
        button: 'Forget it',
        kind: 'danger',
      };
  }
}

function readPlan(tables: readonly string[], { tables: all }: Source): Plan {
  const one = tables.length === 1 ? tables[0] : undefined;
  return {
    title:
      one === undefined ? `Read ${amount(tables.length, 'table')} again?` : `Read ${one} again?`,
    text: `${one === undefined ? `Every row of ${listed(tables, 3)} is read` : 'Every row of it is read'} again while changes are followed${tables.length < all.length ? ' in all tables' : ''}. What is equal changes nothing, and records whose rows are gone are deleted. If that were more than a fifth of the records of a table, it would ask first.`,
    button: 'Read again',
    kind: 'main',
  };
}

/** The message once a command has been accepted. */
export function doneText({ verb }: Command): string {
  return {
    pause: 'Paused: nothing is read.',
    resume: 'Resumed: it goes on where it stopped.',
    read: 'It is read again.',
    confirm: 'Confirmed: the records are deleted.',
    forget: 'Forgotten. What it has left in its database is still to be dropped there.',
  }[verb];
}
