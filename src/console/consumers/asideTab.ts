import type { AlertKind } from '../../schema/alert.ts';
import type { ConsumerWith } from '../../schema/consumer.ts';

/** The part of a consumer's page that shows which of its entries were put aside. */
export type AsideTab = 'parked' | 'dead-letters';

/** The part that shows what the consumers of a list have; undefined where no part does. */
export function tabWith(has: ConsumerWith | undefined): AsideTab | undefined {
  if (has === 'dead_letters') return 'dead-letters';
  return has === 'parked' ? has : undefined;
}

/** The part that shows what an alert speaks of; undefined for an alert about the consumer itself. */
export function tabOfAlert(kind: AlertKind): AsideTab | undefined {
  return kind === 'dead-letters' ? kind : undefined;
}
