import type { Command } from 'commander';

import type { ParkedEntry } from '../schema/deadLetter.ts';
import type { RunCommand } from './context.ts';
import { findConsumer } from './find.ts';
import { limit } from './values.ts';

/** Adds `millrace parked`. */
export function addParked(program: Command, run: RunCommand): void {
  program
    .command('parked <consumer>')
    .description('list the entries that are retried beside the others, and why they failed')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((consumer: string, query: { limit?: number; cursor?: string }) =>
      run(async ({ client, out }) => {
        const id = await findConsumer(client, consumer);
        out.page(await client.consumers.parked(id, query), PARKED, 'parked entries');
      }),
    );
}

const PARKED = [
  { title: 'POSITION', of: (one: ParkedEntry) => one.position, right: true },
  { title: 'TYPE', of: (one: ParkedEntry) => one.event },
  { title: 'COLLECTION', of: (one: ParkedEntry) => one.collection_id },
  { title: 'RECORD', of: (one: ParkedEntry) => one.upstream_id },
  { title: 'N', of: (one: ParkedEntry) => one.attempts, right: true },
  { title: 'NEXT ATTEMPT', of: nextOf },
  { title: 'LAST FAILURE', of: failureOf },
];

function nextOf({ follows, next_attempt_at }: ParkedEntry): string | null {
  return follows ? 'after another of its record' : next_attempt_at;
}

function failureOf({ last_failure: failure }: ParkedEntry): string | null {
  if (failure === null) return null;
  const answer = failure.response_head === null ? '' : `: ${failure.response_head}`;
  return failure.status === null
    ? `${failure.code}: ${failure.detail}`
    : `${failure.detail}${answer}`;
}
