import type { ReactNode } from 'react';

import { ActButton } from '../act.tsx';
import { Button } from '../ui/button.tsx';
import { amount } from '../words.ts';
import type { Act } from './acts.tsx';

/** Selects listed dead letters, and offers what can be done with the selected ones or, if none is, with all. */
export function LetterBar(props: {
  /** Ids of the letters listed. */
  shown: string[];
  /** Those of them that are chosen. */
  chosen: string[];
  /** How many letters the consumer has, listed or not. */
  all: number;
  onChoose: (chosen: ReadonlySet<string>) => void;
  onAct: (act: Act) => void;
  /** The search. */
  children: ReactNode;
}) {
  const { shown, chosen, all, onChoose, onAct } = props;
  const count = chosen.length;
  return (
    <div className="flex flex-wrap items-center gap-2">
      {props.children}
      {shown.length > 0 && (
        <Button onClick={() => onChoose(new Set(count > 0 ? [] : shown))}>
          {count > 0 ? 'Choose none' : `Choose the ${amount(shown.length, 'row')} shown`}
        </Button>
      )}
      <span className="sm:ml-auto" />
      {count > 0 ? (
        <>
          <ActButton
            needs="manage"
            kind="main"
            onClick={() => onAct({ kind: 'replay', ids: chosen, count })}
          >
            Send {amount(count, 'chosen one')} again…
          </ActButton>
          <ActButton
            needs="manage"
            kind="danger"
            onClick={() => onAct({ kind: 'delete', ids: chosen, count })}
          >
            Delete {amount(count, 'chosen one')}…
          </ActButton>
        </>
      ) : (
        all > 0 && (
          <ActButton
            needs="manage"
            kind="main"
            onClick={() => onAct({ kind: 'replay', ids: null, count: all })}
          >
            Send all {amount(all, 'dead letter')} again…
          </ActButton>
        )
      )}
    </div>
  );
}
