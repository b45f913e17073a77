import type { ComponentProps, ReactNode } from 'react';

import type { Scope } from '../schema/apiKey.ts';
import { useRefusal } from './session.ts';
import { Button, type ButtonKind } from './ui/button.tsx';

/** A button for an action that needs a scope; if the session lacks the scope, the button says why it is disabled. */
export function ActButton({ needs, ...rest }: ComponentProps<typeof Button> & { needs: Scope }) {
  return <Button {...rest} refusal={useRefusal(needs)} />;
}

/** A button that saves the changes of a form; `nothing`: no field was changed. */
export function SaveChanges({ busy, nothing }: { busy: boolean; nothing: boolean }) {
  return (
    <ActButton needs="manage" type="submit" kind="main" busy={busy} disabled={nothing}>
      Save changes
    </ActButton>
  );
}

/** A link to the form for something new; if the session may not create it, a button that says why. */
export function ActLink(props: {
  needs: Scope;
  kind?: ButtonKind;
  /** The text of the link. */
  title: ReactNode;
  children: ReactNode;
}) {
  const refusal = useRefusal(props.needs);
  if (refusal === null) return props.children;
  return (
    <Button kind={props.kind ?? 'plain'} refusal={refusal}>
      {props.title}
    </Button>
  );
}
