import type { Alert } from '../../schema/alert.ts';
import { ConsumerName } from '../consumerName.tsx';
import { tabOfAlert } from '../consumers/asideTab.ts';
import { nameIn } from './kind.tsx';

/** The consumer or the source that an alert is about, by its name at that time. */
export function AlertAbout({ alert }: { alert: Alert }) {
  const { consumer_id, source_id, kind } = alert;
  if (consumer_id !== null) {
    return <ConsumerName id={consumer_id} known={nameIn(alert)} tab={tabOfAlert(kind)} />;
  }
  return <span className="foreign line-clamp-2">{nameIn(alert) ?? source_id}</span>;
}
