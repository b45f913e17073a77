import { type Command, Option } from 'commander';

import type { RunCommand } from './context.ts';
import type { ImportFlags } from './importBegin.ts';
import { eventOption, examples, streamOption } from './values.ts';

const AFTER = `
Every line is imported or listed. FILE.rejected.ndjson has the number, reason and text of each line
that was not, and the first ten are printed. An end of line is \\n, \\r\\n or \\r. A quote that is not
closed costs only its own line. Column names must differ, and so must the names in a JSON object. An
element of a JSON array that is broken is listed as well, and reading continues after it, as long as
its brackets, or the line on which the next one begins, show where it ends.

Exit codes: 0 every line is imported; 1 some lines were rejected, or reading ended early; 2 nothing
was sent, as the flags or the file can't be used. --resume first checks that what was read is still
the same.`;

/** Adds `millrace import`. */
export function addImport(program: Command, run: RunCommand): void {
  program
    .command('import <file>')
    .description('append a file: NDJSON, a JSON array or CSV, - for stdin')
    .addHelpText(
      'before',
      examples(
        ['millrace import records.ndjson', 'entries as the API takes them'],
        ['millrace import customers.csv --sync crm --collection crm:customer --key id', ''],
        ['millrace import customers.csv … --encoding latin1', 'of a file that is not UTF-8'],
        ['millrace import customers.csv … --rejects bad.csv', 'keep the lines that are rejected'],
        ['millrace import customers.csv … --resume', 'continue after an interruption'],
      ),
    )
    .addOption(streamOption().default('records'))
    .option('--sync <sync>', 'for entries that name none')
    .option('--collection <collection>', 'for entries that name none')
    .option('--key <field>', "each line is an entry's data; this field of it is the record's id")
    .addOption(eventOption('for events that name none (created)'))
    .addOption(
      new Option('--format <format>', 'by default guessed from name and first byte').choices([
        'ndjson',
        'json',
        'csv',
      ]),
    )
    .option(
      '--encoding <name>',
      'utf-8, utf-16le, latin1, shift_jis, … (by byte order mark, else utf-8)',
    )
    .option('--delimiter <character>', 'of CSV: , ; | or tab (guessed from the first rows)')
    .option('--rejects <file>', 'write rejected lines there as they were, to mend and import them')
    .option('--resume', 'continue an interrupted import of the same file')
    .addHelpText('after', AFTER)
    .action((file: string, flags: ImportFlags) =>
      run(async (context) => {
        const { runImport } = await import('./import.ts');
        return runImport(context, file, flags);
      }),
    );
}
