import { Link } from '@tanstack/react-router';

import type { Alert } from '../../schema/alert.ts';
import { ConsumerName } from '../consumerName.tsx';
import { tabOfAlert } from '../consumers/asideTab.ts';
import { nameIn } from './kind.tsx';

/** A link to the consumer or the source that an alert is about, by its name at that time. */
export function AlertAbout({ alert }: { alert: Alert }) {
  const { consumer_id, source_id, kind } = alert;
  if (consumer_id !== null) {
    return <ConsumerName id={consumer_id} known={nameIn(alert)} tab={tabOfAlert(kind)} />;
  }
  if (source_id === null) return null;
  return (
    <Link to="/sources/$id" params={{ id: source_id }} className="foreign line-clamp-2 underline">
      {nameIn(alert) ?? source_id}
    </Link>
  );
}
