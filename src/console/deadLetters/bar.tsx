import type { ReactNode } from 'react';

import { ActButton } from '../act.tsx';
import { Button } from '../ui/button.tsx';
import { amount, number } from '../words.ts';
import type { Act } from './acts.tsx';

/** Selects listed dead letters, and offers the actions for the selected ones or, if none is selected, for all. */
export function LetterBar(props: {
  /** Ids of the letters listed. */
  shown: string[];
  /** The ids of the selected ones. */
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
          {count > 0 ? 'Select none' : `Select the ${amount(shown.length, 'row')} shown`}
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
            Replay {number(count)} selected…
          </ActButton>
          <ActButton
            needs="manage"
            kind="danger"
            onClick={() => onAct({ kind: 'delete', ids: chosen, count })}
          >
            Delete {number(count)} selected…
          </ActButton>
        </>
      ) : (
        all > 0 && (
          <ActButton
            needs="manage"
            kind="main"
            onClick={() => onAct({ kind: 'replay', ids: null, count: all })}
          >
            Replay all {amount(all, 'dead letter')}…
          </ActButton>
        )
      )}
    </div>
  );
}
