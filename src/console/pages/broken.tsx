import { Link, type ErrorComponentProps } from '@tanstack/react-router';

import { messageOf } from '../api.ts';
import { Button, buttonLook } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';

/** Stands in for a page that could not be drawn, and says what to do; the navigation stays. */
export function BrokenPage({ error }: ErrorComponentProps) {
  return (
    <div role="alert" className="mx-auto flex w-full max-w-xl flex-col gap-3">
      <PageHead title="This page could not be shown" />
      <Notice
        title="The console has a fault"
        text={
          <>
            Reload the page: Millrace may have been upgraded while it was open. If that does not
            help, please report this: <code>{messageOf(error)}</code>
          </>
        }
      >
        <Button kind="main" onClick={() => location.reload()}>
          Reload
        </Button>
        <Link to="/" className={buttonLook()}>
          Go to Overview
        </Link>
      </Notice>
    </div>
  );
}
