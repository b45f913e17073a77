import { Link } from '@tanstack/react-router';

import { buttonLook } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';
import { PageHead } from '../ui/panel.tsx';

/** An address that has no page. */
export function NotFoundPage() {
  return (
    <div className="mx-auto flex w-full max-w-xl flex-col gap-3">
      <PageHead title="Not found" />
      <Notice title="There is no such page" text="The address may be old or incomplete.">
        <Link to="/" className={buttonLook('main')}>
          Go to Overview
        </Link>
      </Notice>
    </div>
  );
}
