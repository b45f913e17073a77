import type { Command } from 'commander';

import type { Collection, Sync } from '../schema/stream.ts';
import type { RunCommand } from './context.ts';
import { examples, limit } from './values.ts';

interface PageFlags {
  limit?: number;
  cursor?: string;
}

/** Adds `millrace syncs …` and `millrace collections …`: what the streams have seen. */
export function addSeenCommands(program: Command, run: RunCommand): void {
  withPages(
    program
      .command('syncs')
      .description('syncs whose entries were appended, or that were named')
      .addHelpText('before', examples(['millrace syncs list', '']))
      .command('list'),
  )
    .description('list syncs with their counts, the last changed first')
    .action((query: PageFlags) =>
      run(async ({ client, out }) => {
        out.page(await client.syncs(query), SYNCS, 'syncs');
      }),
    );

  withPages(
    program
      .command('collections')
      .description('collections whose entries were appended')
      .addHelpText(
        'before',
        examples(['millrace collections list --sync crm', 'only those of one sync']),
      )
      .command('list'),
  )
    .description('list collections with their counts, the last changed first')
    .option('--sync <sync>', 'only collections of this sync')
    .action(({ sync, ...query }: PageFlags & { sync?: string }) =>
      run(async ({ client, out }) => {
        const page = await client.collections({ ...query, sync_id: sync });
        out.page(page, COLLECTIONS, 'collections');
      }),
    );
}

function withPages(command: Command): Command {
  return command
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here');
}

const SYNCS = [
  { title: 'SYNC', of: (one: Sync) => one.sync_id },
  { title: 'NAME', of: (one: Sync) => one.name },
  { title: 'EVENTS', of: (one: Sync) => one.events, right: true },
  { title: 'RECORDS', of: (one: Sync) => one.records, right: true },
  { title: 'LAST CHANGE', of: (one: Sync) => one.last_at },
];

const COLLECTIONS = [
  { title: 'COLLECTION', of: (one: Collection) => one.collection_id },
  { title: 'SYNC', of: (one: Collection) => one.sync_id },
  { title: 'EVENTS', of: (one: Collection) => one.events, right: true },
  { title: 'RECORDS', of: (one: Collection) => one.records, right: true },
  { title: 'LAST CHANGE', of: (one: Collection) => one.last_at },
];
