import { defineSearchAttributeKey } from '@temporalio/common';

import type { ConsumerStatus } from '../schema/consumer.ts';

const STATUS = defineSearchAttributeKey('ConsumerStatus', 'KEYWORD');
const HOST = defineSearchAttributeKey('TargetHost', 'KEYWORD');

/** The search attributes of a consumer's workflow. */
export function searchAttributes(status: ConsumerStatus, targetHost: string) {
  return [
    { key: STATUS, value: status },
    { key: HOST, value: targetHost },
  ];
}

/** The same as a text, by which the workflow knows what was written last. */
export function publishedText(status: ConsumerStatus, targetHost: string): string {
  return `${status} ${targetHost}`;
}
