import type { Command } from 'commander';

import type { EventInput, RecordInput } from '../schema/stream.ts';
import type { RunCommand } from './context.ts';
import { usage } from './exit.ts';
import type { ListenFlags, StreamFlags } from './listen.ts';
import {
  collect,
  collectOf,
  eventOption,
  EVENTS,
  examples,
  given,
  readJson,
  streamOption,
  wholeNumber,
} from './values.ts';

interface SendFlags {
  stream?: string;
  sync: string;
  collection: string;
  id: string;
  event: EventInput['event'];
  eventId?: string;
  data?: string;
}

/** Adds the commands that read and write the streams: `listen`, `tail`, `send`. */
export function addStreamCommands(program: Command, run: RunCommand, version: string): void {
  withFilter(program.command('listen'))
    .description('forward a stream to a local endpoint, signed and without a tunnel')
    .addHelpText(
      'before',
      examples(
        ['millrace listen --forward-to http://localhost:3000/hook', 'everything from now on'],
        ['millrace listen --forward-to http://localhost:3000/hook --since 1h', ''],
      ),
    )
    .requiredOption('--forward-to <address>', 'where entries are posted to')
    .option(
      '--secret <whsec>',
      'signing secret (default: one that is created once, kept, and printed)',
    )
    .option(
      '--concurrency <n>',
      'how many records to forward concurrently (default: 1)',
      wholeNumber(1, 256),
    )
    .addHelpText(
      'after',
      '\nEach entry is sent once, in order per record. A failure is reported and not retried.',
    )
    .action((flags: ListenFlags) =>
      run(async (context) => {
        const { runListen } = await import('./listen.ts');
        return runListen(context, flags, version);
      }),
    );

  withFilter(program.command('tail'))
    .description('print the entries of a stream as they come, until Ctrl-C')
    .addHelpText(
      'before',
      examples(
        ['millrace tail --collection stripe:customer', ''],
        ['millrace tail --since beginning --json', 'one JSON entry per line'],
      ),
    )
    .action((flags: StreamFlags) =>
      run(async (context) => {
        const { runTail } = await import('./listen.ts');
        return runTail(context, flags);
      }),
    );

  program
    .command('send')
    .description('append a sample entry')
    .addHelpText(
      'before',
      examples(
        ['millrace send', 'a sample event'],
        ['millrace send --event updated --data \'{"name":"Ada"}\'', ''],
        ['millrace send --stream records --id cus_1 --data @customer.json', ''],
      ),
    )
    .addOption(streamOption())
    .option('--sync <sync>', 'sync of the record', 'sample')
    .option('--collection <collection>', 'collection of the record', 'sample:customer')
    .option('--id <upstream id>', 'id of the record', 'cus_1')
    .addOption(eventOption('what happened to the record').default('created'))
    .option('--event-id <id>', 'id of the event; one that was appended before is a duplicate')
    .option('--data <json>', 'data of the record: JSON, @FILE, or - for stdin')
    .action((flags: SendFlags) =>
      run(async ({ client, out }) => {
        if (flags.stream === 'records' && flags.eventId !== undefined) {
          throw usage('--event-id is only for events; leave out --stream records');
        }
        const record = {
          sync_id: flags.sync,
          collection_id: flags.collection,
          upstream_id: flags.id,
          data: flags.data === undefined ? sample(flags.id) : await readJson('--data', flags.data),
        };
        if (flags.stream === 'records') {
          const change: RecordInput =
            flags.event === 'deleted' ? { ...record, deleted: true } : record;
          const appended = await client.append.records([change]);
          out.thing(appended, Object.entries(appended));
        } else {
          const event = { ...record, event: flags.event, ...given({ event_id: flags.eventId }) };
          const appended = await client.append.events([event]);
          out.thing(appended, Object.entries(appended));
        }
      }),
    );
}

function withFilter(command: Command): Command {
  return command
    .addOption(streamOption())
    .option('--sync <sync>', 'only this sync; repeatable', collect)
    .option('--collection <collection>', 'only this collection; repeatable', collect)
    .option('--event <event>', 'only created, updated or deleted; repeatable', collectOf(EVENTS))
    .option(
      '--since <place>',
      'where to start: beginning, 1h for an hour ago, a time, or a cursor (default: now)',
    );
}

function sample(id: string): object {
  return { id, name: 'Ada Lovelace', email: 'ada@example.com', sent_at: new Date().toISOString() };
}
