import type { Command } from 'commander';

import type { ConsumerVerb } from '../api/client.ts';
import type { ConsumerInput } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { CONSUMER_COLUMNS, showConsumer } from './consumerView.ts';
import type { Context, RunCommand } from './context.ts';
import { usage } from './exit.ts';
import { findConsumer, findTarget } from './find.ts';
import {
  collect,
  collectPair,
  examples,
  given,
  limit,
  placeOf,
  streamOption,
  wholeNumber,
  withInput,
} from './values.ts';
import { watchConsumer } from './watch.ts';

interface ConsumerFlags {
  name?: string;
  target?: string;
  stream?: StreamName;
  path?: string;
  sync?: string[];
  collection?: string[];
  event?: string[];
  ordering?: string;
  start?: string;
  alertEmail?: string[];
  metadata?: Record<string, string>;
  input?: string;
}

interface ListFlags {
  q?: string;
  status?: string;
  target?: string;
  limit?: number;
  cursor?: string;
}

/** Adds `millrace consumers …`. */
export function addConsumerCommands(program: Command, run: RunCommand): void {
  const group = program
    .command('consumers')
    .description('subscriptions: a stream, a filter, a target')
    .addHelpText(
      'before',
      examples(
        ['millrace consumers create --name orders --target shop --stream events', ''],
        ['millrace consumers get orders --watch', 'its live status'],
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
    .description('newest first')
    .option('--q <text>', 'part of its name, its id or the name of its target')
    .option('--status <status>', 'active, paused, blocked or stopped')
    .option('--target <target>', 'only those of this target')
    .option('--limit <n>', 'how many', limit)
    .option('--cursor <cursor>', 'continue after a page')
    .action((options: ListFlags) =>
      run(async ({ client, out }) => {
        const { target, ...query } = options;
        const of = target === undefined ? {} : { target_id: await findTarget(client, target) };
        out.page(await client.consumers.list({ ...query, ...of }), CONSUMER_COLUMNS, 'consumers');
      }),
    );

  group
    .command('get <consumer>')
    .description('show one, by its id, the beginning of its id, or its name')
    .option('--watch', 'follow its status until Ctrl-C')
    .action((consumer: string, options: { watch?: boolean }) =>
      run(async (context) => {
        const id = await findConsumer(context.client, consumer);
        if (options.watch === true) return watchConsumer(context, id);
        showConsumer(context.out, await context.client.consumers.get(id));
      }),
    );
}

function addChanges(group: Command, run: RunCommand): void {
  withFlags(group.command('create'))
    .description('create a consumer, which sends from the moment it is saved')
    .addOption(streamOption())
    .option('--start <place>', 'beginning, end, a time, 2h before now, or a cursor (end)')
    .action((options: ConsumerFlags) =>
      run(async (context) => {
        const { stream, start } = options;
        const input = await inputOf(context, options, {
          stream,
          start: start === undefined ? undefined : placeOf(start),
        });
        showConsumer(context.out, await context.client.consumers.create(input));
      }),
    );

  withFlags(group.command('update <consumer>'))
    .description('change the given fields while it runs; lists are replaced as a whole')
    .action((consumer: string, options: ConsumerFlags) =>
      run(async (context) => {
        const id = await findConsumer(context.client, consumer);
        const patch = await inputOf(context, options, {});
        showConsumer(context.out, await context.client.consumers.update(id, patch));
      }),
    );

  group
    .command('delete <consumer>')
    .description('stop and delete a consumer; its target stays')
    .action((consumer: string) =>
      run(async ({ client, out }) => {
        const id = await findConsumer(client, consumer);
        await client.consumers.delete(id);
        out.note(`Deleted consumer ${id}`);
      }),
    );
}

function addCommands(group: Command, run: RunCommand): void {
  for (const [verb, does] of [
    ['pause', 'no request starts after the answer; nothing is lost'],
    ['resume', 'continue at the position, with a new retry window'],
  ] as const) {
    group
      .command(`${verb} <consumer>`)
      .description(does)
      .action((consumer: string) => run((context) => commandConsumer(context, consumer, verb)));
  }

  group
    .command('seek <consumer> <place>')
    .description('move the position: beginning, end, a time, 2h before now, or a cursor')
    .action((consumer: string, place: string) =>
      run(async ({ client, out }) => {
        const id = await findConsumer(client, consumer);
        showConsumer(out, await client.consumers.seek(id, placeOf(place)));
      }),
    );
}

function addFilter(group: Command, run: RunCommand): void {
  group
    .command('filter <consumer>')
    .description('add to and remove from the filter while it runs')
    .option('--add-sync <sync>', 'repeatable', collect)
    .option('--add-collection <collection>', 'repeatable', collect)
    .option('--add-event <event>', 'repeatable', collect)
    .option('--remove-sync <sync>', 'repeatable', collect)
    .option('--remove-collection <collection>', 'repeatable', collect)
    .option('--remove-event <event>', 'repeatable', collect)
    .action((consumer: string, flags: Record<string, string[]>) =>
      run(async ({ client, out }) => {
        if (Object.keys(flags).length === 0) {
          throw usage('Say what changes: --add-sync, --add-collection, --add-event, --remove-…');
        }
        const part = (verb: string): object =>
          given({
            syncs: flags[`${verb}Sync`],
            collections: flags[`${verb}Collection`],
            event_types: flags[`${verb}Event`],
          });
        const id = await findConsumer(client, consumer);
        const delta = { add: part('add'), remove: part('remove') };
        const changed = await client.consumers.filter(id, delta);
        showConsumer(out, changed);
        out.note(`In force above position ${changed.filter_from}`);
      }),
    );
}

function addPreview(group: Command, run: RunCommand): void {
  group
    .command('preview')
    .description('count how many of the newest entries a filter would let through')
    .addOption(streamOption().makeOptionMandatory())
    .option('--sync <sync>', 'repeatable', collect)
    .option('--collection <collection>', 'repeatable', collect)
    .option('--event <event>', 'repeatable', collect)
    .option('--last <n>', 'how many entries to look at (1000)', wholeNumber(1, 1_000_000))
    .action((flags: ConsumerFlags & { stream: StreamName; last?: number }) =>
      run(async ({ client, out }) => {
        const preview = await client.consumers.preview({
          stream: flags.stream,
          syncs: flags.sync ?? ['*'],
          collections: flags.collection ?? ['*'],
          event_types: flags.event ?? ['*'],
          ...given({ last: flags.last }),
        });
        out.thing(preview, [
          ['Scanned', preview.scanned],
          ['Matched', preview.matched],
          ...preview.sample.map((one, index) => [`Sample ${index + 1}`, one] as const),
        ]);
      }),
    );
}

/** Gives a command to a consumer and prints the result; also used by `millrace retry`. */
export async function commandConsumer(
  { client, out }: Context,
  consumer: string,
  verb: ConsumerVerb,
): Promise<void> {
  const id = await findConsumer(client, consumer);
  showConsumer(out, await client.consumers.command(id, verb));
}

function withFlags(command: Command): Command {
  return command
    .option('--name <name>', 'a name for people')
    .option('--target <target>', 'its id, the beginning of its id, or its name')
    .option('--path <path>', "joined to the target's URL")
    .option('--sync <sync>', 'in its filter; repeatable (*)', collect)
    .option('--collection <collection>', 'in its filter; repeatable (*)', collect)
    .option('--event <event>', 'created, updated or deleted; repeatable (*)', collect)
    .option('--ordering <ordering>', 'record, stream or none (record)')
    .option('--alert-email <address>', 'who gets alerts; repeatable', collect)
    .option('--metadata <name=value>', 'data of yours; repeatable', collectPair)
    .option('--input <file>', 'a JSON object with the fields, - for stdin; flags win');
}

async function inputOf(
  { client }: Context,
  flags: ConsumerFlags,
  more: object,
): Promise<Partial<ConsumerInput>> {
  const { target } = flags;
  return withInput(flags.input, {
    name: flags.name,
    target_id: target === undefined ? undefined : await findTarget(client, target),
    path: flags.path,
    syncs: flags.sync,
    collections: flags.collection,
    event_types: flags.event,
    ordering: flags.ordering,
    alert_emails: flags.alertEmail,
    metadata: flags.metadata,
    ...more,
  });
}
