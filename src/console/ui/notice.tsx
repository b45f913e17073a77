import type { ReactNode } from 'react';

import { isGone, messageOf } from '../api.ts';
import { Button } from './button.tsx';

/** What stands where there is nothing to show: why, and what to do next. */
export function Notice(props: { title: string; text?: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 rounded-lg border border-dashed border-line-strong px-4 py-10 text-center">
      <p className="font-semibold">{props.title}</p>
      {props.text !== undefined && (
        <div className="foreign max-w-prose text-soft">{props.text}</div>
      )}
      {props.children}
    </div>
  );
}

/** What failed, in the API's words, and another try. */
export function Failed(props: {
  error: unknown;
  again?: () => void;
  /** Ways to elsewhere. */
  children?: ReactNode;
}) {
  const { error, again, children } = props;
  const isMissing = isGone(error);
  return (
    <div role="alert">
      <Notice
        title={isMissing ? 'This is not there' : 'This could not be read'}
        text={messageOf(error)}
      >
        {again !== undefined && !isMissing && <Button onClick={again}>Try again</Button>}
        {children}
      </Notice>
    </div>
  );
}

/** Said while something is read. */
export function Loading({ what }: { what: string }) {
  return (
    <p role="status" className="px-1 py-6 text-soft">
      Reading {what}…
    </p>
  );
}

/** A line about something that matters here. */
export function Hint({
  tone = 'accent',
  children,
}: {
  tone?: 'accent' | 'warn' | 'bad';
  children: ReactNode;
}) {
  const look = {
    accent: 'border-accent bg-accent-soft',
    warn: 'border-warn bg-warn-soft',
    bad: 'border-bad bg-bad-soft',
  }[tone];
  return <div className={`foreign rounded-md border-l-4 px-3 py-2 ${look}`}>{children}</div>;
}

/** Why an act of a form did not work, in the API's words; nothing while it has not failed. */
export function Unsaved({ error }: { error: Error | null }) {
  if (error === null) return null;
  return (
    <div role="alert">
      <Hint tone="bad">{messageOf(error)}</Hint>
    </div>
  );
}
