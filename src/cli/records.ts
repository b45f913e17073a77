import type { Command } from 'commander';

import type { RunCommand } from './context.ts';
import { examples } from './values.ts';

/** Adds `millrace records get`. */
export function addRecordCommands(program: Command, run: RunCommand): void {
  program
    .command('records')
    .description('records as they are now')
    .addHelpText('before', examples(['millrace records get crm stripe:customer cus_1', '']))
    .command('get <sync> <collection> <id>')
    .description('show a record by its key, also if it is deleted')
    .action((sync: string, collection: string, id: string) =>
      run(async ({ client, out }) => {
        const record = await client.record(sync, collection, id);
        out.thing(record, Object.entries(record));
      }),
    );
}
