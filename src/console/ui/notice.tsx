import type { ReactNode } from 'react';

import { isGone, messageOf, pageAbout, type FieldName } from '../api.ts';
import { Button } from './button.tsx';

/** Shown where there is nothing to show: says why, and what to do next. */
export function Notice(props: { title: string; text?: ReactNode; children?: ReactNode }) {
  return (
    <div className="flex flex-col items-center gap-2 rounded-lg border border-dashed border-line-strong px-4 py-10 text-center">
      <p className="font-semibold">{props.title}</p>
      {props.text !== undefined && (
        <div className="foreign max-w-prose text-balance text-soft">{props.text}</div>
      )}
      {props.children}
    </div>
  );
}

/** What the API says of an error, with the names of a form for its fields, and a link to its page about it. */
export function ErrorText({ error, nameOf }: { error: unknown; nameOf?: FieldName | undefined }) {
  const page = pageAbout(error);
  return (
    <>
      {messageOf(error, nameOf)} {page !== null && <AboutError page={page} />}
    </>
  );
}

/** The link to the page about an error. */
export function AboutError({ page }: { page: string }) {
  return (
    <a href={page} target="_blank" rel="noreferrer" className="whitespace-nowrap underline">
      About this error
    </a>
  );
}

/** Shows what failed, in the API's words, and offers another try. */
export function Failed(props: {
  error: unknown;
  again?: () => void;
  /** Further ways out. */
  children?: ReactNode;
}) {
  const { error, again, children } = props;
  const isMissing = isGone(error);
  return (
    <div role="alert">
      <Notice
        title={isMissing ? 'Not found' : 'This could not be loaded'}
        text={<ErrorText error={error} />}
      >
        {again !== undefined && !isMissing && <Button onClick={again}>Try again</Button>}
        {children}
      </Notice>
    </div>
  );
}

/** Shown while something is being read. */
export function Loading({ what }: { what: string }) {
  return (
    <p role="status" className="px-1 py-6 text-soft">
      Loading {what}…
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

/** The reason why an act of a form failed, in the API's words; empty unless it has failed. */
export function Unsaved(props: {
  error: Error | null;
  /** What the form calls its fields; otherwise they have the names of the API. */
  nameOf?: FieldName | undefined;
}) {
  const { error, nameOf } = props;
  if (error === null) return null;
  return (
    <div role="alert">
      <Hint tone="bad">
        <ErrorText error={error} nameOf={nameOf} />
      </Hint>
    </div>
  );
}
