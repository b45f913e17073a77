import type { ComponentProps } from 'react';

export type ButtonKind = 'main' | 'plain' | 'quiet' | 'danger';

const KINDS: Record<ButtonKind, string> = {
  main: 'border-accent bg-accent text-accent-ink hover:opacity-90',
  plain: 'border-line-strong bg-panel hover:bg-sunk',
  quiet: 'border-transparent text-soft hover:bg-sunk hover:text-ink',
  danger: 'border-bad text-bad bg-panel hover:bg-bad-soft',
};

/** The look of a button, for links that act like one. */
export function buttonLook(kind: ButtonKind = 'plain'): string {
  return `inline-flex min-h-8 items-center justify-center gap-1.5 rounded-md border px-2.5 py-1 font-medium whitespace-nowrap disabled:opacity-50 ${KINDS[kind]}`;
}

/** A button; `busy` keeps it from being pressed twice. */
export function Button({
  kind = 'plain',
  busy = false,
  className = '',
  ...rest
}: ComponentProps<'button'> & { kind?: ButtonKind; busy?: boolean }) {
  return (
    <button
      type="button"
      {...rest}
      aria-busy={busy}
      disabled={busy || rest.disabled === true}
      className={`${buttonLook(kind)} ${className}`}
    />
  );
}
