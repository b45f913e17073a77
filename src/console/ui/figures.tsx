import type { ReactNode } from 'react';

/** The numbers of one thing, side by side; `Figure`s are its children. */
export function Figures({ children }: { children: ReactNode }) {
  return (
    <dl className="grid grid-cols-2 gap-px overflow-hidden rounded-lg border border-line bg-line sm:grid-cols-4 xl:grid-cols-8">
      {children}
    </dl>
  );
}

/** One number, with what it is called and a few words about it. */
export function Figure(props: { title: string; value: ReactNode; about: ReactNode }) {
  return (
    <div className="min-w-0 bg-panel px-3 py-2">
      <dt className="text-xs text-soft">{props.title}</dt>
      <dd className="foreign truncate text-base font-semibold tabular-nums">{props.value}</dd>
      <dd className="foreign line-clamp-2 text-xs text-soft">{props.about}</dd>
    </div>
  );
}
