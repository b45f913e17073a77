import { type Command, Option } from 'commander';

import type {
  Consumer,
  ConsumerInput,
  ConsumerSort,
  ConsumerStatus,
  ConsumerWith,
} from '../schema/consumer.ts';
import type { Preview } from '../schema/preview.ts';
import type { StreamName } from '../schema/stream.ts';
import { startOf } from './apiClock.ts';
import { batchOption } from './batchOption.ts';
import { bodyOf } from './bodyFlag.ts';
import { confirm, withYes, type YesFlag } from './confirm.ts';
import {
  batchOf,
  CONDITION,
  EVENTS_OR_ALL,
  inputOf,
  mapInBatches,
  whereOf,
  withFlags,
  type ConsumerFlags,
} from './consumerFlags.ts';
import { CONSUMERS, showConsumer } from './consumerView.ts';
import type { Context, RunCommand } from './context.ts';
import { usage } from './exit.ts';
import { findConsumer, findTarget } from './find.ts';
import { getGoing, withWait, type WaitFlags } from './getGoing.ts';
import { printable } from './table.ts';
import {
  collect,
  collectOf,
  EVENTS,
  examples,
  given,
  limit,
  needChange,
  needFlags,
  placeOf,
  streamOption,
  wholeNumber,
} from './values.ts';
import { watchConsumer } from './watch.ts';

const STATUSES: readonly ConsumerStatus[] = ['active', 'paused', 'blocked', 'stopped'];
const HAS: readonly ConsumerWith[] = ['parked', 'dead_letters', 'cannot_start'];
const SORTS: readonly ConsumerSort[] = ['newest', 'lag', 'failed'];

type DeltaFlags = Pick<ConsumerFlags, 'where'> & {
  [list in `${'add' | 'remove'}${'Sync' | 'Collection' | 'Event'}`]?: string[];
};

interface ListFlags {
  q?: string;
  status?: string;
  has?: string;
  target?: string;
  sort?: string;
  limit?: number;
  cursor?: string;
}

/** Adds `millrace consumers …`. */
export function addConsumerCommands(program: Command, run: RunCommand): void {
  const group = program
    .command('consumers')
    .description('saved subscriptions: one stream, a filter, one target')
    .addHelpText(
      'before',
      examples(
        ['millrace consumers create --name orders --target shop --stream events', ''],
        ['millrace consumers get orders --watch', 'follow its status'],
        ['millrace consumers resume orders', 'continue where it stopped'],
        ['millrace consumers filter orders --add-collection stripe:customer', ''],
        ['millrace consumers seek orders 2h', 'send the last two hours again'],
      ),
    );

  addReads(group, run);
  addChanges(group, run);
  addCommands(group, run);
  addFilter(group, run);
  addPreview(group, run);
}

function addReads(group: Command, run: RunCommand): void {
  group
    .command('list')
    .description('list consumers, newest first or by what waits or fails')
    .option('--q <text>', 'part of its name, its id or the name of its target')
    .addOption(new Option('--status <status>', 'only consumers with this status').choices(STATUSES))
    .addOption(
      new Option(
        '--has <what>',
        "only consumers with parked entries, with dead letters, or that can't send",
      ).choices(HAS),
    )
    .option('--target <target>', 'only consumers of this target')
    .addOption(
      new Option(
        '--sort <order>',
        'most waiting entries (lag) or most failed attempts (failed) first (default: newest)',
      ).choices(SORTS),
    )
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((options: ListFlags) =>
      run(async ({ client, out }) => {
        const { target, ...query } = options;
        const of = target === undefined ? {} : { target_id: await findTarget(client, target) };
        const page = await client.consumers.list({ ...query, ...of });
        out.page(page, CONSUMERS, 'consumers');
      }),
    );

  group
    .command('get <consumer>')
    .description('show a consumer, by its id, its name, or the beginning of either')
    .option('--watch', 'follow its status until Ctrl-C')
    .action((consumer: string, options: { watch?: boolean }) =>
      run(async (context) => {
        const id = await findConsumer(context.client, consumer);
        if (options.watch === true) return watchConsumer(context, id);
        await showConsumer(context, await context.client.consumers.get(id));
      }),
    );
}

function addChanges(group: Command, run: RunCommand): void {
  withFlags(group.command('create'))
    .description('create a consumer, which starts sending immediately')
    .addOption(streamOption())
    .option(
      '--start <place>',
      'where to start: beginning, end, a time, 2h for two hours ago, or a cursor (default: end)',
    )
    .action((options: ConsumerFlags) =>
      run(async (context) => {
        const { stream, start } = options;
        needFlags(options, ['name', 'target', 'stream']);
        const place = start === undefined ? undefined : placeOf('--start', start);
        const input = await inputOf(context, options, {
          stream,
          start: place === undefined ? undefined : await startOf(context.client, place),
        });
        await showSet(context, await context.client.consumers.create(input), input);
      }),
    );

  withFlags(group.command('update <consumer>'))
    .description('change the given fields while it runs; a list replaces the stored one')
    .action((consumer: string, options: ConsumerFlags) =>
      run(async (context) => {
        needChange(options);
        const id = await findConsumer(context.client, consumer);
        const patch = await inputOf(context, options, {});
        await showSet(context, await context.client.consumers.update(id, patch), patch);
      }),
    );

  withYes(group.command('delete <consumer>'))
    .description('stop and delete a consumer, its position and its dead letters; its target stays')
    .action((consumer: string, flags: YesFlag) =>
      run(async ({ client, out, signal }) => {
        const id = await findConsumer(client, consumer);
        const { name } = await client.consumers.get(id);
        const which = `consumer ${JSON.stringify(printable(name))} (${id})`;
        await confirm(`Delete ${which}, its position and its dead letters?`, { flags, signal });
        await client.consumers.delete(id);
        out.note(`Deleted ${which}`);
      }),
    );
}

/** Prints a consumer whose fields were set, and notes what its endpoint may not take. */
async function showSet(
  context: Context,
  one: Consumer,
  input: Partial<ConsumerInput>,
): Promise<void> {
  await showConsumer(context, one);
  const note = mapInBatches(one, input);
  if (note !== null) context.out.note(note);
}

function addCommands(group: Command, run: RunCommand): void {
  group
    .command('pause <consumer>')
    .description('send nothing more until it is resumed; nothing is lost')
    .action((consumer: string) =>
      run(async (context) => {
        const id = await findConsumer(context.client, consumer);
        await showConsumer(context, await context.client.consumers.command(id, 'pause'));
      }),
    );

  withWait(group.command('retry <consumer>'))
    .description('try what is waiting now and report the outcome, as millrace retry does')
    .action((consumer: string, flags: WaitFlags) =>
      run((context) => getGoing(context, consumer, 'retry', flags)),
    );

  withWait(group.command('resume <consumer>'))
    .description('continue where it stopped, with a new retry window, and report the outcome')
    .action((consumer: string, flags: WaitFlags) =>
      run((context) => getGoing(context, consumer, 'resume', flags)),
    );

  group
    .command('seek <consumer> <place>')
    .description('move the position: to beginning, end, a time, 2h for two hours ago, or a cursor')
    .action((consumer: string, place: string) =>
      run(async (context) => {
        const { client } = context;
        const named = placeOf('<place>', place);
        const id = await findConsumer(client, consumer);
        const to = await startOf(client, named);
        await showConsumer(context, await client.consumers.seek(id, to));
      }),
    );
}

function addFilter(group: Command, run: RunCommand): void {
  group
    .command('filter <consumer>')
    .description('add to and remove from the filter while it runs')
    .option('--add-sync <sync>', 'a sync to add; repeatable', collect)
    .option('--add-collection <collection>', 'a collection to add; repeatable', collect)
    .option(
      '--add-event <event>',
      'created, updated, deleted or *; repeatable',
      collectOf(EVENTS_OR_ALL),
    )
    .option('--remove-sync <sync>', 'a sync to remove; repeatable', collect)
    .option('--remove-collection <collection>', 'a collection to remove; repeatable', collect)
    .option('--remove-event <event>', 'created, updated or deleted; repeatable', collectOf(EVENTS))
    .option('--where <expression>', `the new condition, ${CONDITION}`)
    .option('--no-where', 'no condition any more')
    .action((consumer: string, flags: DeltaFlags) =>
      run(async (context) => {
        const { client, out } = context;
        if (Object.keys(flags).length === 0) {
          throw usage(
            'Nothing to change: give --add-sync, --add-collection, --add-event, --remove-… or --where',
          );
        }
        const part = (verb: 'add' | 'remove'): object =>
          given({
            syncs: flags[`${verb}Sync`],
            collections: flags[`${verb}Collection`],
            event_types: flags[`${verb}Event`],
          });
        const id = await findConsumer(client, consumer);
        const delta = {
          add: part('add'),
          remove: part('remove'),
          ...given({ where: whereOf(flags) }),
        };
        const changed = await client.consumers.filter(id, delta);
        await showConsumer(context, changed);
        const { filter_version: version, filter_from: from } = changed;
        out.note(`Filter saved (version ${version}); it applies after position ${from}`);
      }),
    );
}

function addPreview(group: Command, run: RunCommand): void {
  group
    .command('preview')
    .description('count how many of the newest entries a filter would let through')
    .addOption(streamOption().makeOptionMandatory())
    .option('--sync <sync>', 'a sync of the filter; repeatable (default: *)', collect)
    .option(
      '--collection <collection>',
      'a collection of the filter; repeatable (default: *)',
      collect,
    )
    .option('--event <event>', 'created, updated or deleted; repeatable', collectOf(EVENTS))
    .option('--where <expression>', `a condition of the filter, ${CONDITION}`)
    .option('--body <body>', 'show what would be sent of the newest match; as in consumers create')
    .option(
      '--batch <limits>',
      'show what would be sent of the newest match in a batch; as in consumers create',
      batchOption,
    )
    .option('--last <n>', 'how many entries to look at (default: 1000)', wholeNumber(1, 10_000))
    .action((flags: ConsumerFlags & { stream: StreamName; last?: number }) =>
      run(async ({ client, out }) => {
        const preview = await client.consumers.preview({
          stream: flags.stream,
          syncs: flags.sync ?? ['*'],
          collections: flags.collection ?? ['*'],
          event_types: flags.event ?? ['*'],
          ...given({
            where: whereOf(flags),
            last: flags.last,
            body: await bodyOf(flags.body),
            batch: batchOf(flags),
          }),
        });
        const { scanned, listed, tried, matched, failed, sample, others } = preview;
        const condition: [string, unknown][] = [
          ['Pass the lists', listed],
          ['Condition tried on', tried],
          ['Could not be evaluated', failed],
        ];
        out.thing(preview, [
          ['Scanned', scanned],
          ...(flags.where === undefined ? [] : condition),
          ['Matched', matched],
          ...sample.map((one, index) => [`Sample ${index + 1}`, one] as const),
          ...others.map(({ entry, why }, index) => [`Not ${index + 1}`, { why, entry }] as const),
          ...sentOf(preview),
        ]);
      }),
    );
}

/** What would be sent of the newest match, where that was asked for. */
function sentOf({ sample_body: sent }: Preview): (readonly [string, unknown])[] {
  if (sent === undefined || sent === null) return [];
  if (sent.text === null) return [['Not sent', sent.fault]];
  return [
    ['Content type', sent.content_type],
    ['Sent', sent.text],
  ];
}
