import { failureOf, furtherOf } from './failure.ts';

/** What an entry last failed by, in two lines. */
export function FailureText({ failure }: { failure: Parameters<typeof furtherOf>[0] }) {
  return (
    <span className="foreign line-clamp-2">
      <b className="font-mono text-xs text-bad">{failureOf(failure)}</b>{' '}
      <span className="text-soft">{furtherOf(failure)}</span>
    </span>
  );
}
