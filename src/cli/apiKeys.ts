import type { Command } from 'commander';

import type { ApiKey, Scope } from '../schema/apiKey.ts';
import { confirm, withYes, type YesFlag } from './confirm.ts';
import type { RunCommand } from './context.ts';
import { findApiKey } from './find.ts';
import { printable } from './table.ts';
import { collectOf, examples, given, limit, time } from './values.ts';

const SCOPES: readonly Scope[] = ['ingest', 'read', 'manage'];

/** Adds `millrace keys list|create|delete` for the API keys. */
export function addApiKeyCommands(group: Command, run: RunCommand): void {
  group.addHelpText(
    'before',
    examples(
      ['millrace keys create --name importer --scope ingest', 'the key is shown only once'],
      ['millrace keys list', ''],
      ['millrace keys rotate', 'seal every secret with the first of MILLRACE_ENCRYPTION_KEYS'],
    ),
  );

  group
    .command('list')
    .description('list API keys, newest first')
    .option('--limit <n>', 'list at most this many', limit)
    .option('--cursor <cursor>', 'list the page that begins here')
    .action((query: { limit?: number; cursor?: string }) =>
      run(async ({ client, out }) =>
        out.page(await client.apiKeys.list(query), COLUMNS, 'API keys'),
      ),
    );

  group
    .command('create')
    .description('create an API key, which is shown only once')
    .requiredOption('--name <name>', 'the person or program that uses it')
    .requiredOption('--scope <scope>', 'ingest, read or manage; repeatable', collectOf(SCOPES))
    .option('--expires-at <time>', 'when it expires: a time such as 2027-01-31T00:00:00Z', time)
    .action((options: { name: string; scope: Scope[]; expiresAt?: string }) =>
      run(async ({ client, out }) => {
        const { name, scope: scopes, expiresAt } = options;
        const created = await client.apiKeys.create({
          name,
          scopes,
          ...given({ expires_at: expiresAt }),
        });
        out.thing(created, Object.entries(created));
        out.note('The key is shown only once.');
      }),
    );

  withYes(group.command('delete <key>'))
    .description('revoke an API key, by its id, its name, or the beginning of either')
    .action((key: string, flags: YesFlag) =>
      run(async ({ client, out, signal }) => {
        const { id, name } = await findApiKey(client, key);
        const which = `API key ${name === null ? id : `${JSON.stringify(printable(name))} (${id})`}`;
        await confirm(`Revoke ${which}? Anyone using it loses access immediately.`, {
          flags,
          signal,
        });
        await client.apiKeys.delete(id);
        out.note(`Revoked API key ${which}`);
      }),
    );
}

const COLUMNS = [
  { title: 'NAME', of: (one: ApiKey) => one.name },
  { title: 'SCOPES', of: (one: ApiKey) => one.scopes.join(', ') },
  { title: 'EXPIRES', of: (one: ApiKey) => one.expires_at },
  { title: 'REVOKED', of: (one: ApiKey) => one.revoked_at },
  { title: 'ID', of: (one: ApiKey) => one.id },
];
