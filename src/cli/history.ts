import { InvalidArgumentError, type Command } from 'commander';

import type { Alert } from '../schema/alert.ts';
import type { Attempt } from '../schema/attempt.ts';
import type { DeadLetter } from '../schema/deadLetter.ts';
import { addAlertTest } from './alertTest.ts';
import { showTrace } from './attemptTraces.ts';
import { confirm, withYes, type YesFlag } from './confirm.ts';
import type { Context, RunCommand } from './context.ts';
import { EXIT, usage } from './exit.ts';
import { findConsumer, findDeadLetter } from './find.ts';
import { followAttempts } from './followAttempts.ts';
import { getGoing, withWait, type WaitFlags } from './getGoing.ts';
import { formatTable } from './table.ts';
import { collect, examples, given, limit, moment, wholeNumber } from './values.ts';

/** How many attempts `--trace` shows by default. */
const TRACED = 10;

interface AttemptFlags {
  failed?: boolean;
  status?: number;
  since?: string;
  until?: string;
  eventId?: string;
  batchId?: string;
  upstreamId?: string;
  trace?: boolean;
  follow?: boolean;
  limit?: number;
  cursor?: string;
}

interface LetterFlags {
  code?: string;
  status?: string;
  upstreamId?: string;
  limit?: number;
  cursor?: string;
}

/** Adds the commands that show attempts, alerts and dead letters, and those that send entries again. */
export function addHistoryCommands(program: Command, run: RunCommand): void {
  program
    .command('attempts <consumer>')
    .description('list what was sent and how it was answered, newest first')
    .addHelpText(
      'before',
      examples(
        ['millrace attempts orders --failed', 'what went wrong'],
        [
          'millrace attempts orders --failed --trace --limit 1',
          'what was sent and came back, and where the time went',
        ],
        ['millrace attempts orders --follow', 'print attempts as they end'],
      ),
    )
    .option('--failed', 'only failed attempts')
    .option('--status <status>', 'only this HTTP status', wholeNumber(100, 599))
    .option(
      '--since <time>',
      "only attempts since then: a time, or 90s, 1h or 2d for how long ago by the API's clock",
      moment,
    )
    .option(
      '--until <time>',
      "only attempts until then: a time, or 90s, 1h or 2d for how long ago by the API's clock",
      moment,
    )
    .option('--event-id <id>', 'only attempts at this event')
    .option('--batch-id <id>', 'only attempts of this batch, by its webhook-id')
    .option('--upstream-id <id>', 'only attempts at this record')
    .option('--trace', 'show how long each step took, what was sent, and what came back')
    .option('--follow', 'print attempts as they end, oldest first, until Ctrl-C')
    .option('--limit <n>', `list at most this many (default: 100; ${TRACED} with --trace)`, limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((consumer: string, flags: AttemptFlags) =>
      run(async (context) => {
        const { client, out } = context;
        if (flags.follow === true) refusePages(flags);
        const id = await findConsumer(client, consumer);
        const filter = given({
          outcome: flags.failed === true ? 'failed' : undefined,
          status: flags.status,
          event_id: flags.eventId,
          batch_id: flags.batchId,
          upstream_id: flags.upstreamId,
          include: flags.trace === true ? 'trace' : undefined,
        });
        if (flags.follow === true) {
          const onAttempt = (one: Attempt): Promise<void> => printAttempt(context, one, flags);
          return followAttempts(context, { id, filter, since: flags.since, onAttempt });
        }
        const { since, until, cursor, limit = flags.trace === true ? TRACED : undefined } = flags;
        const query = { ...filter, since, until, cursor, limit };
        const page = await client.consumers.attempts(id, query);
        if (flags.trace !== true || out.isJson || page.data.length === 0) {
          out.page(page, ATTEMPTS, 'attempts');
          return;
        }
        try {
          for (const one of page.data) await showTrace(context, one);
        } catch (error) {
          if (context.signal.aborted) return EXIT.interrupted;
          throw error;
        }
        out.more(page);
      }),
    );

  const alerts = program
    .command('alerts [consumer]')
    .description('list alerts, newest first')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((consumer: string | undefined, query: { limit?: number; cursor?: string }) =>
      run(async ({ client, out }) => {
        const page =
          consumer === undefined
            ? await client.alerts(query)
            : await client.consumers.alerts(await findConsumer(client, consumer), query);
        out.page(page, ALERTS, 'alerts');
      }),
    );
  addAlertTest(alerts, run);

  withWait(program.command('retry <consumer>'))
    .description('try what is waiting now and report the outcome; the retry window keeps running')
    .addHelpText(
      'before',
      examples(
        ['millrace retry orders', 'exit 0: delivered, or nothing is waiting; 1: it failed'],
        ['millrace retry orders --no-wait', 'do not wait for the outcome'],
      ),
    )
    .action((consumer: string, flags: WaitFlags) =>
      run((context) => getGoing(context, consumer, 'retry', flags)),
    );

  program
    .command('resend <consumer> <position>')
    .description('send one entry of the stream again')
    .action((consumer: string, position: string) =>
      run(async ({ client, out }) => {
        const isPosition = /^[1-9]\d*$/u.test(position) && Number.isSafeInteger(Number(position));
        if (!isPosition) throw usage('<position> must be a whole number, 1 or more');
        const id = await findConsumer(client, consumer);
        const queued = await client.consumers.resend(id, Number(position));
        out.thing(queued, [['Queued', queued.count]]);
      }),
    );

  addDeadLetterCommands(program, run);
}

function addDeadLetterCommands(program: Command, run: RunCommand): void {
  const group = program
    .command('dead-letters')
    .description('entries that the endpoint kept rejecting while it accepted others')
    .addHelpText(
      'before',
      examples(
        ['millrace dead-letters list orders', ''],
        ['millrace dead-letters list orders --status 422', 'only those that were last answered so'],
        ['millrace dead-letters replay orders --all', 'send them again, in order'],
      ),
    );

  group
    .command('list <consumer>')
    .description('list dead letters, newest first')
    .option('--code <code>', 'only those with this error code of the last failure')
    .option(
      '--status <status>',
      'only those with this HTTP status of the last failure, or none for those without an answer',
      answeredStatus,
    )
    .option('--upstream-id <id>', 'only those of this record')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((consumer: string, { upstreamId, ...query }: LetterFlags) =>
      run(async ({ client, out }) => {
        const id = await findConsumer(client, consumer);
        const page = await client.deadLetters.list(id, { ...query, upstream_id: upstreamId });
        out.page(page, LETTERS, 'dead letters');
      }),
    );

  group
    .command('get <consumer> <letter>')
    .description('show a dead letter, with the body that was refused')
    .action((consumer: string, letter: string) =>
      run(async ({ client, out }) => {
        const id = await findConsumer(client, consumer);
        const one = await client.deadLetters.get(id, await findDeadLetter(client, id, letter));
        out.thing(one, [
          ['ID', one.id],
          ['Failed at', one.died_at],
          ['Parked', one.parked_at],
          ['Position', one.position],
          ['Message', one.message_id],
          ['Record', `${one.sync_id} ${one.collection_id} ${one.upstream_id}`],
          ['Event', one.event],
          ['Attempts', one.attempts],
          ['Last failure', `${one.last_failure.code}, ${one.last_failure.detail}`],
          ['Response', one.last_failure.response_head],
          ['Body', one.body],
        ]);
      }),
    );

  group
    .command('replay <consumer>')
    .description('send dead letters again, in order, with a new retry window')
    .option('--all', 'all dead letters of the consumer')
    .option('--id <letter>', 'only this dead letter; repeatable', collect)
    .action((consumer: string, options: { all?: boolean; id?: string[] }) =>
      run(async ({ client, out }) => {
        const { all, id: ids } = options;
        if ((all === true) === (ids !== undefined)) throw usage('Give --all, or --id <letter>');
        const id = await findConsumer(client, consumer);
        const found = await Promise.all((ids ?? []).map((one) => findDeadLetter(client, id, one)));
        const queued = await client.deadLetters.replay(
          id,
          ids === undefined ? { all: true } : { ids: found },
        );
        out.thing(queued, [['Queued', queued.count]]);
      }),
    );

  withYes(group.command('delete <consumer> <letter>'))
    .description('delete a dead letter, so that it can no longer be sent')
    .action((consumer: string, letter: string, flags: YesFlag) =>
      run(async ({ client, out, signal }) => {
        const id = await findConsumer(client, consumer);
        const one = await findDeadLetter(client, id, letter);
        await confirm(`Delete dead letter ${one}? It can't be sent any more.`, { flags, signal });
        await client.deadLetters.delete(id, one);
        out.note(`Deleted dead letter ${one}`);
      }),
    );
}

/** Parses the option `--status` of dead letters. */
function answeredStatus(text: string): string {
  if (/^(?:[1-5]\d\d|none)$/u.test(text)) return text;
  throw new InvalidArgumentError('It must be a whole number from 100 to 599, or none.');
}

/** Refuses the flags that say which page of a list is meant, or its end. */
function refusePages({ limit, cursor, until }: AttemptFlags): void {
  const names = Object.keys(given({ limit, cursor, until })).map((name) => `--${name}`);
  if (names.length > 0) throw usage(`${names.join(' and ')} can't be used with --follow`);
}

/** Prints one attempt of those that are followed. */
async function printAttempt(
  context: Context,
  one: Attempt,
  { trace }: AttemptFlags,
): Promise<void> {
  const { out } = context;
  if (out.isJson) out.jsonLine(one);
  else if (trace === true) await showTrace(context, one);
  else for (const line of formatTable(ATTEMPTS, [one]).slice(1)) out.line(line);
}

const ATTEMPTS = [
  { title: 'STARTED', of: (one: Attempt) => one.started_at },
  { title: 'POSITION', of: (one: Attempt) => one.position, right: true },
  { title: 'N', of: (one: Attempt) => one.attempt, right: true },
  { title: 'OUTCOME', of: (one: Attempt) => one.outcome },
  { title: 'STATUS', of: (one: Attempt) => one.status, right: true },
  { title: 'MS', of: (one: Attempt) => one.duration_ms, right: true },
  { title: 'ERROR', of: (one: Attempt) => one.error_code },
  { title: 'TYPE', of: (one: Attempt) => one.event },
  { title: 'COLLECTION', of: (one: Attempt) => one.collection_id },
  { title: 'RECORD', of: (one: Attempt) => one.upstream_id },
  { title: 'MESSAGE', of: (one: Attempt) => one.message_id },
  { title: 'ENTRIES', of: (one: Attempt) => one.batch_size, right: true },
  { title: 'TRACE', of: (one: Attempt) => one.trace_id },
];

const ALERTS = [
  { title: 'AT', of: (one: Alert) => `${one.at.slice(0, 19)}Z` },
  { title: 'KIND', of: (one: Alert) => one.kind },
  { title: 'ABOUT', of: aboutOf },
  { title: 'MAIL', of: ({ mail }: Alert) => mailState(mail) },
  { title: 'REASON', of: whyOf },
];

/** The consumer or the source that an alert is about. */
function aboutOf({ detail, consumer_id, source_id }: Alert): string {
  return textIn(detail, 'name') ?? consumer_id ?? source_id ?? '';
}

/** The state of an alert's mail. */
function mailState(mail: Alert['mail']): string {
  if (mail === null) return 'none';
  if (mail.recipients === 0) return 'no recipient';
  if (mail.sent_at !== null) return 'sent';
  if (mail.dropped_at !== null) return 'not needed';
  if (mail.given_up_at !== null) return 'given up';
  if (mail.recipients === null) return '–';
  return mail.last_error === null ? 'waiting' : 'retrying';
}

/** The subject of an alert; one about lost events without a mail has counts instead of a reason. */
function whyOf({ kind, detail }: Alert): string {
  const { count, first, last } = detail;
  const lost = `${String(count)} entries, positions ${String(first)} to ${String(last)}, were dropped by the retention before they were sent`;
  return textIn(detail, 'reason') ?? (kind === 'retention' ? lost : '');
}

function failureOf({ code, status }: DeadLetter['last_failure']): string {
  return status === null ? code : `${code} ${status}`;
}

function textIn(detail: Record<string, unknown>, name: string): string | undefined {
  const value = detail[name];
  return typeof value === 'string' ? value : undefined;
}

/** The ids come first, because other commands take them: a narrow terminal cuts the last columns. */
const LETTERS = [
  { title: 'ID', of: (one: DeadLetter) => one.id },
  { title: 'FAILED AT', of: (one: DeadLetter) => one.died_at },
  { title: 'POSITION', of: (one: DeadLetter) => one.position, right: true },
  { title: 'COLLECTION', of: (one: DeadLetter) => one.collection_id },
  { title: 'RECORD', of: (one: DeadLetter) => one.upstream_id },
  { title: 'N', of: (one: DeadLetter) => one.attempts, right: true },
  { title: 'LAST FAILURE', of: ({ last_failure: last }: DeadLetter) => failureOf(last) },
];
