import type { ReactNode } from 'react';

export interface StepProps {
  at: number;
  title: string;
  text: string;
  isDone: boolean;
  /** Whether the step has to wait for the one before it. */
  isWaiting?: boolean;
  /** The result of the step. */
  done?: string | undefined;
  children?: ReactNode;
}

/** One step of the first run: done, to be done now, or waiting for the one before. */
export function Step({ at, title, text, isDone, isWaiting = false, done, children }: StepProps) {
  return (
    <li
      aria-current={!isDone && !isWaiting ? 'step' : undefined}
      className={`flex gap-3 rounded-lg border bg-panel p-3 ${!isDone && !isWaiting ? 'border-accent' : 'border-line'}`}
    >
      <span
        aria-hidden
        className={`flex size-7 shrink-0 items-center justify-center rounded-full font-semibold ${isDone ? 'bg-ok-soft text-ok' : isWaiting ? 'bg-sunk text-soft' : 'bg-accent text-accent-ink'}`}
      >
        {isDone ? '✓' : at}
      </span>
      <div className="flex min-w-0 flex-1 flex-col gap-2">
        <div>
          <h2 className="font-semibold">
            {title}
            {isDone && <span className="foreign ml-2 font-normal text-ok">{done}</span>}
          </h2>
          <p className="text-soft">{text}</p>
        </div>
        {!isDone && !isWaiting && children !== undefined && (
          <div className="flex flex-wrap gap-2">{children}</div>
        )}
      </div>
    </li>
  );
}
