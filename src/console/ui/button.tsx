import { useId, type ComponentProps, type MouseEvent } from 'react';

import { Tooltip } from './tooltip.tsx';

export type ButtonKind = 'main' | 'plain' | 'quiet' | 'danger';

const KINDS: Record<ButtonKind, string> = {
  main: 'border-accent bg-accent text-accent-ink hover:opacity-90',
  plain: 'border-line-strong bg-panel hover:bg-sunk',
  quiet: 'border-transparent text-soft hover:bg-sunk hover:text-ink',
  danger: 'border-bad text-bad bg-panel hover:bg-bad-soft',
};

/** The look of a button, for links that act like one. */
export function buttonLook(kind: ButtonKind = 'plain'): string {
  return `inline-flex min-h-[2.15rem] items-center justify-center gap-1.5 rounded-md border px-2.5 py-1 font-medium whitespace-nowrap disabled:opacity-50 aria-disabled:cursor-default aria-disabled:opacity-50 ${KINDS[kind]}`;
}

interface ButtonProps extends ComponentProps<'button'> {
  kind?: ButtonKind;
  busy?: boolean;
  /** Why it may not be pressed. */
  refusal?: string | null;
}

/** A button; `busy` keeps it from being pressed twice, but leaves it the focus, which `disabled` would take. */
export function Button(props: ButtonProps) {
  const { kind = 'plain', busy = false, refusal = null, className = '', ...rest } = props;
  const look = `${buttonLook(kind)} ${className}`;
  if (refusal !== null) return <RefusedButton {...rest} refusal={refusal} className={look} />;
  return (
    <button
      type="button"
      {...rest}
      aria-busy={busy}
      {...(busy ? { 'aria-disabled': true, onClick: prevent } : {})}
      className={look}
    />
  );
}

/** Neither the press nor the form that it would send has an effect. */
function prevent(event: MouseEvent): void {
  event.preventDefault();
}

/** Keeps the button reachable by Tab, so that its reason is read out; `disabled` would make it unreachable. */
function RefusedButton({
  refusal,
  children,
  disabled: _disabled,
  ...rest
}: ComponentProps<'button'> & { refusal: string }) {
  const id = useId();
  return (
    <Tooltip text={refusal}>
      <button {...rest} type="button" aria-disabled aria-describedby={id} onClick={prevent}>
        {children}
        <span id={id} hidden>
          {refusal}
        </span>
      </button>
    </Tooltip>
  );
}
