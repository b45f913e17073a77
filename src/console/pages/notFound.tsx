import { Link } from '@tanstack/react-router';
import { buttonLook } from '../ui/button.tsx';
import { Notice } from '../ui/notice.tsx';

/** An address that has no page. */
export function NotFoundPage() {
  return (
    <main className="mx-auto w-full max-w-xl p-4">
      <h1 className="sr-only">Not found</h1>
      <Notice title="There is no such page" text="The address may be old, or cut off.">
        <Link to="/" className={buttonLook('main')}>
          To the overview
        </Link>
      </Notice>
    </main>
  );
}
