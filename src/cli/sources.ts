import type { Command } from 'commander';

import { confirm, withYes, type YesFlag } from './confirm.ts';
import type { RunCommand } from './context.ts';
import { EXIT } from './exit.ts';
import { findSource } from './find.ts';
import {
  FROM_ENVIRONMENT,
  noUrl,
  sourceDraftOf,
  sourceInputOf,
  sourcePatchOf,
  withDatabase,
  withExpectation,
  type SourceFlags,
} from './sourceFlags.ts';
import { PROBLEMS, showSource, showTest, SOURCES } from './sourceView.ts';
import { printable } from './table.ts';
import { collect, examples, given, limit, needChange, needFlags } from './values.ts';

interface ListFlags {
  q?: string;
  limit?: number;
  cursor?: string;
}

/** Adds `millrace sources …`. */
export function addSourceCommands(program: Command, run: RunCommand): void {
  const group = program
    .command('sources')
    .description('databases whose tables are followed')
    .addHelpText(
      'before',
      examples(
        [
          'millrace sources test --url-file shop.url',
          'what is missing, and which tables there are',
        ],
        ['millrace sources add --name shop --url-file shop.url --table public.orders', ''],
        ['millrace sources get shop', 'how far it is behind, and each of its tables'],
        ['millrace sources snapshot shop --table public.orders', 'read a table anew'],
      ),
    );
  addReads(group, run);
  addChanges(group, run);
  addDelete(group, run);
  addCommands(group, run);
  addTest(group, run);
}

function addReads(group: Command, run: RunCommand): void {
  group
    .command('list')
    .description('list sources, newest first')
    .option('--q <text>', 'part of its name, its URL or its id')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((options: ListFlags) =>
      run(async ({ client, out }) =>
        out.page(await client.sources.list(options), SOURCES, 'sources'),
      ),
    );

  group
    .command('get <source>')
    .description('show a source, by its id, its name, or the beginning of either')
    .action((source: string) =>
      run(async ({ client, out }) => {
        showSource(out, await client.sources.get(await findSource(client, source)));
      }),
    );

  group
    .command('problems <source>')
    .description('list rows that could not be turned into records, by table and reason')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((source: string, options: Omit<ListFlags, 'q'>) =>
      run(async ({ client, out }) => {
        const id = await findSource(client, source);
        out.page(await client.sources.problems(id, options), PROBLEMS, 'problems');
      }),
    );
}

function addChanges(group: Command, run: RunCommand): void {
  const add = withDatabase(
    group.command('add').option('--name <name>', 'its name'),
    FROM_ENVIRONMENT,
  )
    .option('--table <schema.table>', 'a table to follow; repeatable', collect)
    .option('--sync <sync>', 'the sync of its records (default: the id of the source)');
  withExpectation(add)
    .description('follow a database; nothing is changed in it if anything is in the way')
    .action((options: SourceFlags) =>
      run(async ({ client, out, env }) => {
        needFlags(options, ['name', 'table']);
        const input = await sourceInputOf(options, env);
        if (input.url === undefined) throw noUrl();
        showSource(out, await client.sources.create(input));
      }),
    );

  const edit = withDatabase(
    group.command('edit <source>').option('--name <name>', 'its name'),
    'its own database',
  )
    .option('--no-ca', 'trust the public certificate authorities')
    .option('--table <schema.table>', 'a table to follow; repeatable, replaces all', collect)
    .option('--add-table <schema.table>', 'a table to follow as well; repeatable', collect)
    .option('--remove-table <schema.table>', 'a table to follow no more; repeatable', collect)
    .option('--no-expect-within', 'send no mail when nothing changes');
  withExpectation(edit)
    .description('change the given fields while it is followed')
    .action((source: string, options: SourceFlags) =>
      run(async ({ client, out }) => {
        needChange(options);
        const id = await findSource(client, source);
        const patch = await sourcePatchOf(options, async () => {
          const { tables } = await client.sources.get(id);
          return tables.map(({ table }) => table);
        });
        showSource(out, await client.sources.update(id, patch));
      }),
    );
}

function addDelete(group: Command, run: RunCommand): void {
  withYes(group.command('delete <source>'))
    .description('stop following a source, drop its slot and publication, and delete it')
    .option('--forget', 'delete it without reaching its database, which may be gone')
    .action((source: string, flags: YesFlag & { forget?: boolean }) =>
      run(async ({ client, out, signal }) => {
        const id = await findSource(client, source);
        const { name } = await client.sources.get(id);
        const which = `source ${JSON.stringify(printable(name))} (${id})`;
        await confirm(`Delete ${which}? Its records stay.`, { flags, signal });
        if (flags.forget === true) {
          const { sql } = await client.sources.forget(id);
          out.note(`Deleted ${which}. If its database is still there, run in it:`);
          for (const statement of sql) out.line(`${statement};`);
          return;
        }
        const left = await client.sources.delete(id);
        out.note(
          left === null
            ? `Deleted ${which}`
            : `The ${which} is deleted once its slot is dropped: ${left.interruption?.detail ?? 'its database is not reached yet'}`,
        );
      }),
    );
}

function addCommands(group: Command, run: RunCommand): void {
  group
    .command('pause <source>')
    .description('follow it no more until it is resumed; its slot keeps the log of its database')
    .action((source: string) =>
      run(async ({ client, out }) => {
        const id = await findSource(client, source);
        showSource(out, await client.sources.command(id, 'pause'));
      }),
    );

  group
    .command('resume <source>')
    .description('go on where it was, also after a failure')
    .action((source: string) =>
      run(async ({ client, out }) => {
        const id = await findSource(client, source);
        showSource(out, await client.sources.command(id, 'resume'));
      }),
    );

  group
    .command('snapshot <source>')
    .description('read tables anew, or confirm what reading one anew would delete')
    .option('--table <schema.table>', 'a table of it; repeatable (default: all)', collect)
    .option('--confirm', 'let it delete more than a fifth of the records of a table')
    .action((source: string, { table, confirm: isSure }: { table?: string[]; confirm?: boolean }) =>
      run(async ({ client, out }) => {
        const id = await findSource(client, source);
        const wanted = given({ tables: table, confirm: isSure });
        showSource(out, await client.sources.snapshot(id, wanted));
      }),
    );
}

function addTest(group: Command, run: RunCommand): void {
  withDatabase(group.command('test [source]'), FROM_ENVIRONMENT)
    .description('look at a database, or at that of a source; exit 1 when it can not be followed')
    .option('--table <schema.table>', 'a table to follow; repeatable', collect)
    .action((source: string | undefined, flags: SourceFlags) =>
      run(async ({ client, out, env }) => {
        const tested =
          source === undefined
            ? await client.sources.testDraft(await sourceDraftOf(flags, env))
            : await client.sources.test(await findSource(client, source));
        showTest(out, tested);
        return tested.outcome === 'ok' ? EXIT.ok : EXIT.failed;
      }),
    );
}
