import { DropdownMenu } from 'radix-ui';
import type { ReactNode } from 'react';

export interface MenuItem {
  label: string;
  onSelect: () => void;
  /** Says what is chosen among several. */
  isChosen?: boolean;
}

/** A menu behind `trigger`, which is a button. */
export function Menu({ trigger, items }: { trigger: ReactNode; items: MenuItem[] }) {
  return (
    <DropdownMenu.Root modal={false}>
      <DropdownMenu.Trigger asChild>{trigger}</DropdownMenu.Trigger>
      <DropdownMenu.Portal>
        <DropdownMenu.Content
          align="end"
          sideOffset={4}
          className="z-50 min-w-44 rounded-md border border-line bg-panel p-1 shadow-pop"
        >
          {items.map(({ label, onSelect, isChosen }) => (
            <DropdownMenu.Item
              key={label}
              onSelect={onSelect}
              className="flex min-h-8 items-center gap-2 rounded px-2 outline-none data-highlighted:bg-sunk"
            >
              {isChosen !== undefined && (
                <span aria-hidden className="w-3">
                  {isChosen ? '✓' : ''}
                </span>
              )}
              {label}
              {isChosen === true && <span className="sr-only">(chosen)</span>}
            </DropdownMenu.Item>
          ))}
        </DropdownMenu.Content>
      </DropdownMenu.Portal>
    </DropdownMenu.Root>
  );
}
