import { type Command, Option } from 'commander';

import type { RunCommand } from './context.ts';
import { FORMATS, type IngestFlags } from './ingestFlags.ts';
import { collect, examples } from './values.ts';

const AFTER = `
A record goes to the collection PROVIDER:STREAM under its key; its numbers are not rounded. stdout has the
STATE lines of the connector, each once everything before it is stored; all else goes to stderr. A line that
can't be used ends it after everything before is stored, so that no STATE skips a record.

When a connector dies, its pipe just ends: set -o pipefail makes the shell tell you. With --full-pass, have it
write a file first, and give that to stdin only if it ended well.

Exit codes: 0 everything is stored; 1 a line can't be used, or the source itself said that it failed; 5 a full
pass would delete more than a fifth of a collection.`;

/** Adds `millrace ingest`. */
export function addIngest(program: Command, run: RunCommand): void {
  program
    .command('ingest')
    .description('append what a Singer tap, an Airbyte source or Debezium prints, from stdin')
    .addHelpText(
      'before',
      examples(
        ['tap-github … | millrace ingest --format singer --sync s1 --provider github', ''],
        [
          'source-faker read … | millrace ingest --format airbyte --catalog catalog.json …',
          'with the catalog that the source gets',
        ],
        ['kcat -C -J … | millrace ingest --format debezium --sync s1 --provider shop', ''],
        ['tap-github … | millrace ingest … --state state.json', 'for the next run of the tap'],
        ['millrace ingest … --full-pass < everything.jsonl', 'delete what did not come'],
      ),
    )
    .addOption(
      new Option('--format <format>', 'what stdin has').choices(FORMATS).makeOptionMandatory(),
    )
    .requiredOption('--sync <sync>', 'the sync of all records')
    .requiredOption('--provider <provider>', 'the first part of all collections')
    .option('--catalog <file>', 'configured catalog of an Airbyte source, which has the keys')
    .option(
      '--key <stream=field>',
      'key of a stream that brings none: users=id, orders=shop,number; repeatable',
      collect,
    )
    .option('--full-pass', 'stdin has all records of its streams: delete those that do not come')
    .option('--confirm-deletes', 'delete them even if they are more than a fifth of a collection')
    .option('--state <file>', "keep the state there, as the connector's own --state takes it")
    .option('--state-values', 'print only the value of each STATE, as Meltano expects it')
    .addHelpText('after', AFTER)
    .action((flags: IngestFlags) =>
      run(async (context) => {
        const { runIngest } = await import('./ingest.ts');
        return runIngest(context, flags);
      }),
    );
}
