import type { ComponentProps, ReactNode } from 'react';

import type { Scope } from '../schema/apiKey.ts';
import { useRefusal } from './session.ts';
import { Button, type ButtonKind } from './ui/button.tsx';

/** A button of an act that needs a scope; where the session lacks it, it says why it does nothing. */
export function ActButton({ needs, ...rest }: ComponentProps<typeof Button> & { needs: Scope }) {
  return <Button {...rest} refusal={useRefusal(needs)} />;
}

/** Saves a form whose fields were changed; `nothing`: none was. */
export function SaveChanges({ busy, nothing }: { busy: boolean; nothing: boolean }) {
  return (
    <ActButton needs="manage" type="submit" kind="main" busy={busy} disabled={nothing}>
      Save changes
    </ActButton>
  );
}

/** A link to where something is made; where the session may not make it, a button that says why. */
export function ActLink(props: {
  needs: Scope;
  kind?: ButtonKind;
  /** What the link reads. */
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
