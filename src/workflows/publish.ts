import { setCurrentDetails, upsertSearchAttributes } from '@temporalio/workflow';

import { describeFilter } from '../rules/filter.ts';
import { details } from './details.ts';
import { isSentTo, type Known } from './known.ts';
import { publishedText, searchAttributes } from './searchAttributes.ts';

/** Shows a consumer in the Temporal UI. */
export interface Publisher {
  /** The search attributes as they were last written, for the run that continues this one. */
  readonly published: string;
  /** Shows what is known. Search attributes are written only when they change, because history keeps them. */
  publish(known: Known, note: string | null): void;
}

/** Creates the publisher; `published` is what the run before wrote last, empty when there was none. */
export function createPublisher(deliveryQueue: string, published: string): Publisher {
  let written = published;
  return {
    get published() {
      return written;
    },
    publish: ({ snapshot, filter, cannotStart }, note) => {
      const fault = isSentTo(snapshot) ? (cannotStart?.reason ?? null) : null;
      const beside = { filter: describeFilter(filter), fault, note, deliveryQueue };
      setCurrentDetails(details(snapshot, beside));
      const { status, targetHost } = snapshot;
      const attributes = publishedText(status, targetHost);
      if (attributes === written) return;
      written = attributes;
      upsertSearchAttributes(searchAttributes(status, targetHost));
    },
  };
}
