import type { Command } from 'commander';

import type { ApiKey, Scope } from '../schema/apiKey.ts';
import type { RunCommand } from './context.ts';
import { collectOf, examples, given, limit } from './values.ts';

const SCOPES: readonly Scope[] = ['ingest', 'read', 'manage'];

/** `millrace keys list|create|delete`: who may use the API. */
export function addApiKeyCommands(group: Command, run: RunCommand): void {
  group.addHelpText(
    'before',
    examples(
      ['millrace keys create --name importer --scope ingest', 'its key is shown this once'],
      ['millrace keys list', ''],
      ['millrace keys rotate', 'seal secrets with the first of MILLRACE_ENCRYPTION_KEYS'],
    ),
  );

  group
    .command('list')
    .description('API keys, newest first')
    .option('--limit <n>', 'how many', limit)
    .option('--cursor <cursor>', 'go on after a page')
    .action((query: { limit?: number; cursor?: string }) =>
      run(async ({ client, out }) =>
        out.page(await client.apiKeys.list(query), COLUMNS, 'API keys'),
      ),
    );

  group
    .command('create')
    .description('the key is shown this once')
    .requiredOption('--name <name>', 'who uses it')
    .requiredOption('--scope <scope>', 'ingest, read or manage, several times', collectOf(SCOPES))
    .option('--expires-at <time>', 'RFC 3339')
    .action((options: { name: string; scope: Scope[]; expiresAt?: string }) =>
      run(async ({ client, out }) => {
        const { name, scope: scopes, expiresAt } = options;
        const made = await client.apiKeys.create({
          name,
          scopes,
          ...given({ expires_at: expiresAt }),
        });
        out.thing(made, Object.entries(made));
        out.note('The key is shown this once.');
      }),
    );

  group
    .command('delete <id>')
    .description('it is refused from now on')
    .action((id: string) =>
      run(async ({ client, out }) => {
        await client.apiKeys.delete(id);
        out.note(`Deleted API key ${id}`);
      }),
    );
}

const COLUMNS = [
  { title: 'NAME', of: (one: ApiKey) => one.name },
  { title: 'SCOPES', of: (one: ApiKey) => one.scopes.join(', ') },
  { title: 'EXPIRES', of: (one: ApiKey) => one.expires_at },
  { title: 'ID', of: (one: ApiKey) => one.id },
];
