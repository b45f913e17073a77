import { useSyncExternalStore } from 'react';

import { useNarrow } from '../narrow.ts';
import { timeForm, useSetting } from '../settings.ts';
import { local, printMinute, printTime, relative, utc } from '../words.ts';
import { Tooltip } from './tooltip.tsx';

let now = Date.now();
const listeners = new Set<() => void>();

/** All times on a page move with one timer, which runs while any is shown. */
function subscribe(listener: () => void): () => void {
  listeners.add(listener);
  if (listeners.size === 1) tick();
  return () => void listeners.delete(listener);
}

function tick(): void {
  if (listeners.size === 0) return;
  now = Date.now();
  listeners.forEach((listener) => listener());
  setTimeout(tick, 1_000);
}

/** The current time, exact to the second. */
export function useNow(): number {
  return useSyncExternalStore(subscribe, () => now);
}

/**
 * A time in the form that the reader has chosen (relative, UTC or local); the other forms are shown on hover, and at a tap.
 * `isMinute`: it is known to the minute alone, which has no relative form; `isSpan`: the relative form is the time
 * that has passed, `20 min`.
 */
export function TimeText(props: { at: string | null; isMinute?: boolean; isSpan?: boolean }) {
  const { at, isMinute = false, isSpan = false } = props;
  const form = useSetting(timeForm);
  const current = useNow();
  if (at === null) return <span className="text-soft">–</span>;
  const time = Date.parse(at);
  const text = isMinute ? printMinute(form, time, current) : printTime(form, time, current);
  const shown = isSpan ? text.replace(/ ago$/u, '') : text;
  return (
    <Tooltip
      onTap
      text={
        <span className="font-mono text-xs">
          {utc(time)}
          <br />
          {local(time)} your time
          <br />
          {relative(time, current)}
        </span>
      }
    >
      <time
        dateTime={at}
        className={`tabular-nums ${form === 'relative' ? 'whitespace-nowrap' : ''}`}
      >
        {shown}
      </time>
    </Tooltip>
  );
}

/** Since when something is so, after a comma: `since 12:03 UTC`, or `for 20 min` where times are relative. */
export function SinceText({ at }: { at: string }) {
  const isRelative = useSetting(timeForm) === 'relative';
  return (
    <>
      {isRelative ? 'for ' : 'since '}
      <TimeText at={at} isMinute={!isRelative} isSpan={isRelative} />
    </>
  );
}

/** When something is due: once that time has come, its beginning is all that is left to wait for. */
export function DueText({ at }: { at: string | null }) {
  const current = useNow();
  return at !== null && Date.parse(at) <= current ? 'now' : <TimeText at={at} />;
}

/** The width of a table's column of times in the chosen form, as a track of its grid. */
export function useTimeWidth(): string {
  const form = useSetting(timeForm);
  const isNarrow = useNarrow();
  if (form === 'relative') return '5.75rem';
  return isNarrow ? '6rem' : '13rem'; // on a phone the date and the time stand in two lines
}
