import { useLocation } from '@tanstack/react-router';
import type { ReactNode } from 'react';

import { useSignOut } from './signOut.ts';
import { Button } from './ui/button.tsx';
import { Notice } from './ui/notice.tsx';
import { PageHead } from './ui/panel.tsx';

/** Replaces a page on which the session may do nothing: says why, and offers ways out. */
export function Refused(props: { title: string; refusal: string; children?: ReactNode }) {
  const signOut = useSignOut();
  const { href } = useLocation();
  return (
    <>
      <PageHead title={props.title} />
      <Notice title={props.refusal} text="Sign in with a key that has this scope.">
        <div className="flex flex-wrap justify-center gap-2">
          {props.children}
          <Button onClick={() => signOut(href)}>Sign in with another key</Button>
        </div>
      </Notice>
    </>
  );
}
