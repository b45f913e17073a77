import { defineSearchAttributeKey } from '@temporalio/common';

import type { ConsumerStatus } from '../schema/consumer.ts';

const STATUS = defineSearchAttributeKey('ConsumerStatus', 'KEYWORD');
const HOST = defineSearchAttributeKey('TargetHost', 'KEYWORD');
const TARGET = defineSearchAttributeKey('TargetId', 'KEYWORD');

/** The facts from which the search attributes of a consumer's workflow are made. */
export interface Attributed {
  status: ConsumerStatus;
  targetHost: string;
  /** Distinguishes targets of one host; older histories lack it. */
  targetId?: string;
}

/** The search attributes of a consumer's workflow. */
export function searchAttributes({ status, targetHost, targetId }: Attributed) {
  return [
    { key: STATUS, value: status },
    { key: HOST, value: targetHost },
    ...(targetId === undefined ? [] : [{ key: TARGET, value: targetId }]),
  ];
}

/** The same as a text, by which the workflow knows what it wrote last. */
export function publishedText({ status, targetHost, targetId }: Attributed): string {
  return [status, targetHost, targetId].filter((part) => part !== undefined).join(' ');
}
