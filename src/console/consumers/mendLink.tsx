import { Link } from '@tanstack/react-router';

import { buttonLook } from '../ui/button.tsx';

/** The faults that are fixed at the consumer, and on which tab of its page. */
const AT_CONSUMER: Record<string, { tab: 'settings' | 'filter'; title: string }> = {
  filter_unreadable: { tab: 'filter', title: 'Open its filter' },
  body_unreadable: { tab: 'settings', title: 'Open its settings' },
};

/** The faults that are fixed at the target, and on which tab of its page. */
const AT_TARGET: Record<string, { tab: 'settings' | 'verify'; title: string }> = {
  credentials_unreadable: { tab: 'settings', title: "Open the target's credentials" },
  signing_secret_unreadable: { tab: 'verify', title: "Open the target's signing secret" },
  certificate_unreadable: { tab: 'settings', title: "Open the target's certificates" },
  url_unreadable: { tab: 'settings', title: "Open the target's URL" },
};

/**
 * Leads to where the fault of this code is mended that keeps consumers from being sent to; nothing where that is not
 * in the console. `consumerId`: the only consumer that has it; null where there are several.
 */
export function MendLink(props: { code: string; targetId: string; consumerId: string | null }) {
  const { code, targetId, consumerId } = props;
  const own = AT_CONSUMER[code];
  if (own !== undefined && consumerId !== null) {
    return (
      <Link
        to="/consumers/$id"
        params={{ id: consumerId }}
        search={{ tab: own.tab }}
        resetScroll={false}
        className={buttonLook('main')}
      >
        {own.title}
      </Link>
    );
  }
  const place = AT_TARGET[code];
  if (place === undefined) return null;
  return (
    <Link
      to="/targets/$id"
      params={{ id: targetId }}
      search={{ tab: place.tab }}
      className={buttonLook('main')}
    >
      {place.title}
    </Link>
  );
}
