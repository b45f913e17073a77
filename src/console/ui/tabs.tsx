import { Tabs as Radix } from 'radix-ui';
import type { ReactNode } from 'react';

export interface Tab<T extends string> {
  id: T;
  title: ReactNode;
  content: ReactNode;
}

/** Parts of a page, one shown at a time. The page keeps which one that is, usually in its address. */
export function Tabs<T extends string>(props: {
  label: string;
  tabs: Tab<T>[];
  chosen: T;
  onChoose: (id: T) => void;
}) {
  return (
    <Radix.Root value={props.chosen} onValueChange={(id) => props.onChoose(id as T)}>
      <Radix.List
        aria-label={props.label}
        className="mb-3 flex gap-1 overflow-x-auto overflow-y-hidden border-b border-line"
      >
        {props.tabs.map(({ id, title }) => (
          <Radix.Trigger
            key={id}
            value={id}
            className="min-h-9 border-b-2 border-transparent px-3 text-soft whitespace-nowrap hover:text-ink data-[state=active]:border-accent data-[state=active]:text-ink font-medium"
          >
            {title}
          </Radix.Trigger>
        ))}
      </Radix.List>
      {props.tabs.map(({ id, content }) => (
        <Radix.Content key={id} value={id} className="flex flex-col gap-3">
          {content}
        </Radix.Content>
      ))}
    </Radix.Root>
  );
}
