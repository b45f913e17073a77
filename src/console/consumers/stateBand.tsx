import type { ReactNode } from 'react';

import { ActButton } from '../act.tsx';
import { Band } from '../ui/band.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { DueText, TimeText } from '../ui/timeText.tsx';
import { TITLES, type Verb } from './commands.ts';
import type { Fact, State } from './state.ts';

/** The reason why a consumer sends nothing, at the top of its page, with the command that ends it. */
export function StateBand(props: {
  state: State;
  at: string;
  onAct: (verb: Verb) => void;
  /** The way to end it if no command does. */
  children?: ReactNode;
}) {
  const { state, at, onAct, children } = props;
  const { tone, title, code, meaning, facts, verb } = state;
  return (
    <Band
      label="Why it does not send"
      tone={tone}
      title={
        <>
          <Sentence text={title} at={at} />
          {code !== null && <code className="ml-2 text-xs font-normal">{code}</code>}
        </>
      }
      {...(meaning !== null && { meaning })}
      facts={facts.map((fact) => [fact.name, <Value key={fact.name} fact={fact} />])}
    >
      {verb !== null && (
        <ActButton needs="manage" kind="main" onClick={() => onAct(verb)}>
          {TITLES[verb]}
        </ActButton>
      )}
      {children}
    </Band>
  );
}

function Value({ fact }: { fact: Fact }) {
  if ('text' in fact) return fact.text;
  if (fact.at === null) return 'now';
  return fact.name.startsWith('Next') ? <DueText at={fact.at} /> : <TimeText at={fact.at} />;
}
