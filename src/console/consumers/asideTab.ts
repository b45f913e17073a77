import type { AlertKind } from '../../schema/alert.ts';
import type { ConsumerWith } from '../../schema/consumer.ts';

/** The tab of a consumer's page that shows its parked entries or its dead letters. */
export type AsideTab = 'parked' | 'dead-letters';

/** The tab that shows what the consumers of a list have; undefined if there is none. */
export function tabWith(has: ConsumerWith | undefined): AsideTab | undefined {
  if (has === 'dead_letters') return 'dead-letters';
  return has === 'parked' ? has : undefined;
}

/** The tab that shows the subject of an alert; undefined for an alert about the consumer itself. */
export function tabOfAlert(kind: AlertKind): AsideTab | undefined {
  return kind === 'dead-letters' ? kind : undefined;
}
