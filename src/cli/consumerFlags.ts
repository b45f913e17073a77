import { type Command, Option } from 'commander';

import type { ConsumerBatch } from '../schema/batch.ts';
import type { Consumer, ConsumerInput } from '../schema/consumer.ts';
import type { StreamName } from '../schema/stream.ts';
import { batchOption } from './batchOption.ts';
import { BODY_HELP, bodyOf } from './bodyFlag.ts';
import type { Context } from './context.ts';
import { findTarget } from './find.ts';
import { collect, collectOf, collectPair, EVENTS, withInput } from './values.ts';

const ORDERINGS = ['record', 'stream', 'none'];
/** What the flag `--where` takes. */
export const CONDITION = "in CEL: 'event.data.amount > 100', or with changes or record";
/** The values of the flag `--event`. */
export const EVENTS_OR_ALL = [...EVENTS, '*'] as const;

/** The flags by which a consumer is created or changed. */
export interface ConsumerFlags {
  name?: string;
  target?: string;
  stream?: StreamName;
  path?: string;
  sync?: string[];
  collection?: string[];
  event?: string[];
  where?: string | false;
  ordering?: string;
  body?: string;
  batch?: ReturnType<typeof batchOption>;
  start?: string;
  alertEmail?: string[];
  metadata?: Record<string, string>;
  input?: string;
}

/** Adds the flags by which a consumer is created or changed. */
export function withFlags(command: Command): Command {
  return command
    .option('--name <name>', 'its name')
    .option('--target <target>', 'its id, its name, or the beginning of either')
    .option('--path <path>', "appended to the target's base URL")
    .option('--sync <sync>', 'a sync of its filter; repeatable (default: *)', collect)
    .option(
      '--collection <collection>',
      'a collection of its filter; repeatable (default: *)',
      collect,
    )
    .option(
      '--event <event>',
      'created, updated or deleted; repeatable (default: *)',
      collectOf(EVENTS_OR_ALL),
    )
    .option('--where <expression>', `a condition of its filter, ${CONDITION}`)
    .option('--no-where', 'no condition')
    .addOption(
      new Option('--ordering <ordering>', 'what is kept in order (default: record)').choices(
        ORDERINGS,
      ),
    )
    .option(
      '--batch <limits>',
      'several entries per request: entries=100, or entries=100,bytes=1mb,wait=200ms; or none',
      batchOption,
    )
    .option('--body <body>', BODY_HELP)
    .option('--alert-email <address>', 'where its alerts are mailed; repeatable', collect)
    .option('--metadata <name=value>', 'your own data; repeatable', collectPair)
    .option(
      '--input <file>',
      'a file with a JSON object of API fields, - for stdin; flags override it',
    );
}

/** The condition that flags give; null: none, undefined: they do not say. */
export function whereOf({ where }: Pick<ConsumerFlags, 'where'>): string | null | undefined {
  return where === false ? null : where;
}

/** The batches that flags give; null: none, undefined: they do not say. */
export function batchOf({ batch }: Pick<ConsumerFlags, 'batch'>): ConsumerBatch | null | undefined {
  return batch === 'none' ? null : batch;
}

/** What to note when a command has set the body or the batches of a consumer that maps what it sends in batches; null: nothing. */
export function mapInBatches(one: Consumer, input: Partial<ConsumerInput>): string | null {
  if (input.body === undefined && input.batch === undefined) return null;
  if (one.body.mode !== 'map' || one.batch === null) return null;
  return (
    `Requests carry {"${one.stream}":[…]} with the result of the map for each entry. ` +
    'An endpoint that takes one message per request, such as Slack, does not take that: --batch none.'
  );
}

/** The fields of the API that flags give, over those of a file. */
export async function inputOf(
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
    where: whereOf(flags),
    ordering: flags.ordering,
    body: await bodyOf(flags.body),
    batch: batchOf(flags),
    alert_emails: flags.alertEmail,
    metadata: flags.metadata,
    ...more,
  });
}
