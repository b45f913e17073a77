import { Link } from '@tanstack/react-router';

import type { Consumer } from '../../schema/consumer.ts';
import { buttonLook } from '../ui/button.tsx';

/** The faults that are fixed at the target, and on which tab of its page. */
const AT_TARGET: Record<string, { tab: 'settings' | 'verify'; title: string }> = {
  credentials_unreadable: { tab: 'settings', title: "Open the target's credentials" },
  signing_secret_unreadable: { tab: 'verify', title: "Open the target's signing secret" },
  certificate_unreadable: { tab: 'settings', title: "Open the target's certificates" },
  url_unreadable: { tab: 'settings', title: "Open the target's URL" },
};

/**
 * Leads to where the fault can be fixed that keeps a consumer from sending; nothing if that is not in the
 * console.
 */
export function MendLink({ consumer }: { consumer: Consumer }) {
  const { id, target_id, cannot_start: fault } = consumer;
  if (fault?.code === 'filter_unreadable') {
    return (
      <Link
        to="/consumers/$id"
        params={{ id }}
        search={{ tab: 'filter' }}
        resetScroll={false}
        className={buttonLook('main')}
      >
        Open its filter
      </Link>
    );
  }
  const place = AT_TARGET[fault?.code ?? ''];
  if (place === undefined) return null;
  return (
    <Link
      to="/targets/$id"
      params={{ id: target_id }}
      search={{ tab: place.tab }}
      className={buttonLook('main')}
    >
      {place.title}
    </Link>
  );
}
