import { elementsOf } from '../../rules/jsonMembers.ts';
import { subjectOf } from './airbyte.ts';
import { membersOf } from './jsonText.ts';
import type { StateMessage } from './message.ts';

/** What a connector is given at its next run. */
export interface KeptState {
  add(state: StateMessage): void;
  /** The JSON text in the form that the connector takes; null before there is any state. */
  text(): string | null;
}

/**
 * Keeps what STATEs say in the form that the connector itself takes: the last value of a Singer tap, and of an
 * Airbyte source a list with the last state of each stream, or the one of all. `before` is the text of an earlier
 * run, of which the states of other streams stay.
 */
export function createKeptState(before: string | null): KeptState {
  const listed = new Map<string | null, string>();
  let single: string | null = null;

  function list(subject: string | null, value: string): void {
    if (subject === null) listed.clear();
    else listed.delete(null);
    listed.set(subject, value);
  }

  for (const value of (before === null ? null : elementsOf(before)) ?? []) {
    const state = membersOf(value);
    if (state !== null) list(subjectOf(state), value);
  }

  return {
    add: ({ subject, value, isListed }) => {
      if (isListed) list(subject, value);
      else single = value;
    },
    text: () => single ?? (listed.size === 0 ? null : `[${[...listed.values()].join(',')}]`),
  };
}
