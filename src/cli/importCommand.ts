import { type Command, Option } from 'commander';

import type { RunCommand } from './context.ts';
import type { ImportFlags } from './importBegin.ts';
import { eventOption, examples, streamOption } from './values.ts';

const AFTER = `
Every line is imported or rejected. FILE.rejected.ndjson lists the number, reason and text of each
rejected line, and the first ten are printed. A line ends with \\n, \\r\\n or \\r. A quote that is not
closed makes only its own line invalid. Column names, and the names in a JSON object, must differ. A
broken element of a JSON array is rejected as well, and reading continues after it, as long as its
brackets, or the line on which the next one begins, show where it ends.

Exit codes: 0 every line is imported; 1 some lines were rejected, or reading ended early; 2 nothing
was sent, because the flags or the file can't be used. --resume first checks that the part that was
read before is unchanged.`;

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
        ['millrace import customers.csv … --encoding latin1', 'a file that is not UTF-8'],
        ['millrace import customers.csv … --rejects bad.csv', 'keep rejected lines unchanged'],
        ['millrace import customers.csv … --resume', 'continue after an interruption'],
      ),
    )
    .addOption(streamOption().default('records'))
    .option('--sync <sync>', 'the sync of entries that name none')
    .option('--collection <collection>', 'the collection of entries that name none')
    .option('--key <field>', "each line is an entry's data; this field of it is the record's id")
    .addOption(eventOption('the event type of events that name none (default: created)'))
    .addOption(
      new Option('--format <format>', '(default: by the name and the first byte)').choices([
        'ndjson',
        'json',
        'csv',
      ]),
    )
    .option(
      '--encoding <name>',
      'utf-8, utf-16le, latin1, shift_jis, … (default: by the byte order mark, else utf-8)',
    )
    .option(
      '--delimiter <character>',
      'column separator of CSV: , ; | or tab (default: by the first rows)',
    )
    .option('--rejects <file>', 'write rejected lines there unchanged, to be fixed and imported')
    .option('--resume', 'continue an interrupted import of the same file')
    .addHelpText('after', AFTER)
    .action((file: string, flags: ImportFlags) =>
      run(async (context) => {
        const { runImport } = await import('./import.ts');
        return runImport(context, file, flags);
      }),
    );
}
