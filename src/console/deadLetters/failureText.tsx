import { failureOf, furtherOf } from './failure.ts';

/** The last failure of an entry, in two lines. */
export function FailureText({ failure }: { failure: Parameters<typeof furtherOf>[0] }) {
  return (
    <span className="foreign line-clamp-2">
      <b className="font-mono text-xs text-bad">{failureOf(failure)}</b>{' '}
      <span className="text-soft">{furtherOf(failure)}</span>
    </span>
  );
}
