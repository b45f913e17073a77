import { Slot } from 'radix-ui';
import { useEffect, type ReactNode, type Ref } from 'react';

/**
 * Replaces react-remove-scroll, whose <style> element our policy forbids: a class keeps what is behind
 * a dialog from scrolling.
 */
export function RemoveScroll({
  children,
  enabled = true,
  ref,
}: {
  children: ReactNode;
  enabled?: boolean;
  ref?: Ref<HTMLElement>;
}) {
  useEffect(() => {
    if (!enabled) return;
    document.documentElement.classList.add('overflow-hidden');
    return () => document.documentElement.classList.remove('overflow-hidden');
  }, [enabled]);
  return <Slot.Root ref={ref}>{children}</Slot.Root>;
}
