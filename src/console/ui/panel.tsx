import { useEffect, type ReactNode } from 'react';

/** A part of a page with its heading. */
export function Panel(props: { title?: ReactNode; actions?: ReactNode; children: ReactNode }) {
  return (
    <section className="flex min-w-0 flex-col gap-3 rounded-lg border border-line bg-panel p-3">
      {(props.title !== undefined || props.actions !== undefined) && (
        <header className="flex flex-wrap items-center justify-between gap-2">
          <h2 className="font-semibold">{props.title}</h2>
          {props.actions}
        </header>
      )}
      {props.children}
    </section>
  );
}

/** Names and values in two columns. */
export function Facts({ facts }: { facts: (readonly [name: string, value: ReactNode] | null)[] }) {
  return (
    <dl className="grid grid-cols-[max-content_minmax(0,1fr)] gap-x-4 gap-y-1">
      {facts.map(
        (fact) =>
          fact !== null && (
            <div key={fact[0]} className="contents">
              <dt className="text-soft">{fact[0]}</dt>
              <dd className="foreign">{fact[1]}</dd>
            </div>
          ),
      )}
    </dl>
  );
}

interface PageHeadProps {
  title: ReactNode;
  /** The name for the browser's tab, if the title is more than text. */
  name?: string;
  below?: ReactNode;
  /** Its actions. */
  children?: ReactNode;
}

/** The head of a page; names the browser's tab as well. */
export function PageHead(props: PageHeadProps) {
  const name = props.name ?? (typeof props.title === 'string' ? props.title : '');
  useEffect(() => {
    document.title = name === '' ? 'Millrace' : `${name} · Millrace`;
  }, [name]);
  return (
    <header className="flex flex-wrap items-start justify-between gap-3">
      <div className="min-w-0">
        <h1 className="foreign text-xl font-semibold">
          {typeof props.title === 'string' ? (
            <span className="line-clamp-3">{props.title}</span>
          ) : (
            props.title
          )}
        </h1>
        {props.below}
      </div>
      <div className="flex flex-wrap gap-2">{props.children}</div>
    </header>
  );
}
