import { setCurrentDetails, upsertMemo, upsertSearchAttributes } from '@temporalio/workflow';

import { describeFilter } from '../rules/filter.ts';
import { details } from './details.ts';
import { isSentTo, type Known } from './known.ts';
import { memoOf, memoText } from './memo.ts';
import { publishedText, searchAttributes } from './searchAttributes.ts';

/** Shows a consumer in the Temporal UI. */
export interface Publisher {
  /** The search attributes as they were last written, for the run that continues this one. */
  readonly published: string;
  /** The memo as it was last written, for the same run. */
  readonly memo: string;
  /**
   * Shows what is known. Search attributes and memo are written only when they change, because they are kept in
   * history.
   */
  publish(known: Known, note: string | null): void;
  /** Shows the note as well, without a step of the workflow. */
  show(known: Known, note: string | null): void;
}

/** What the run before, or the process that started this one, wrote last; empty: nothing. */
export interface Written {
  published: string;
  memo: string;
}

export interface PublisherOptions {
  deliveryQueue: string;
  before: Written;
  /** Whether it has a memo, and its target's id among the search attributes; older histories have neither. */
  named: boolean;
}

/** Creates the publisher. */
export function createPublisher({ deliveryQueue, before, named }: PublisherOptions): Publisher {
  let { published, memo } = before;

  function show({ snapshot, filter, cannotStart, consolePage }: Known, note: string | null): void {
    const fault = isSentTo(snapshot) ? (cannotStart?.reason ?? null) : null;
    const beside = { filter: describeFilter(filter), fault, note, consolePage, deliveryQueue };
    setCurrentDetails(details(snapshot, beside));
  }

  function publishAttributes({ snapshot }: Known): void {
    const { status, targetHost } = snapshot;
    const attributed = named ? snapshot : { status, targetHost };
    const attributes = publishedText(attributed);
    if (attributes === published) return;
    published = attributes;
    upsertSearchAttributes(searchAttributes(attributed));
  }

  function publishMemo({ snapshot, consolePage }: Known): void {
    if (!named || consolePage === undefined) return; // undefined: an older worker has read the row
    const { name, targetName } = snapshot;
    const shown = { name, targetName, consolePage };
    if (memoText(shown) === memo) return;
    memo = memoText(shown);
    upsertMemo(memoOf(shown));
  }

  return {
    get published() {
      return published;
    },
    get memo() {
      return memo;
    },
    publish: (known, note) => {
      show(known, note);
      publishAttributes(known);
      publishMemo(known);
    },
    show,
  };
}
