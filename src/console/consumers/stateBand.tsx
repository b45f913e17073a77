import type { ReactNode } from 'react';

import { ActButton } from '../act.tsx';
import { Sentence } from '../ui/sentence.tsx';
import { DueText, TimeText } from '../ui/timeText.tsx';
import { TITLES, type Verb } from './commands.ts';
import type { Fact, State } from './state.ts';

const LOOKS = {
  bad: { box: 'border-bad bg-bad-soft', mark: 'text-bad', shape: '■' },
  warn: { box: 'border-warn bg-warn-soft', mark: 'text-warn', shape: '▲' },
  idle: { box: 'border-line-strong bg-sunk', mark: 'text-soft', shape: '‖' },
} as const;

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
  const look = LOOKS[tone];
  return (
    <section
      aria-label="Why it does not send"
      className={`flex flex-wrap items-center justify-between gap-x-4 gap-y-2 rounded-lg border border-l-4 px-3 py-2 ${look.box}`}
    >
      <div className="flex min-w-0 flex-1 basis-80 flex-col gap-1">
        <p data-sentence className="foreign line-clamp-4 text-base font-semibold">
          <span aria-hidden className={`mr-1.5 ${look.mark}`}>
            {look.shape}
          </span>
          <Sentence text={title} at={at} />
          {code !== null && <code className="ml-2 text-xs font-normal">{code}</code>}
        </p>
        {meaning !== null && <p className="foreign">{meaning}</p>}
        <dl className="flex flex-wrap gap-x-5 gap-y-0.5">
          {facts.map((fact) => (
            <div key={fact.name} className="flex items-baseline gap-1.5">
              <dt className="text-soft">{fact.name}</dt>
              <dd>
                <Value fact={fact} />
              </dd>
            </div>
          ))}
        </dl>
      </div>
      {verb !== null && (
        <ActButton needs="manage" kind="main" onClick={() => onAct(verb)}>
          {TITLES[verb]}
        </ActButton>
      )}
      {children}
    </section>
  );
}

function Value({ fact }: { fact: Fact }) {
  if ('text' in fact) return fact.text;
  if (fact.at === null) return 'now';
  return fact.name.startsWith('Next') ? <DueText at={fact.at} /> : <TimeText at={fact.at} />;
}
