import type { Command } from 'commander';

import type { SourceDraft, SourceInput } from '../schema/source.ts';
import { usage } from './exit.ts';
import { given, readBytes, seconds, textOf, withInput } from './values.ts';

/** What the flags of `sources add`, `sources edit` and `sources test` give. */
export interface SourceFlags {
  name?: string;
  urlFile?: string;
  table?: string[];
  addTable?: string[];
  removeTable?: string[];
  sync?: string;
  expectWithin?: number | boolean;
  ca?: string | boolean;
  input?: string;
}

const URL_VARIABLE = 'MILLRACE_SOURCE_URL';

/** Adds the flags that say which database is meant. Its URL has a password, so it is never a flag itself. */
export function withDatabase(command: Command, otherwise: string): Command {
  return command
    .option(
      '--url-file <file>',
      `a file with postgres://user:password@host:port/database, - for stdin (${otherwise})`,
    )
    .option(
      '--ca <file>',
      'a file with PEM certificates to trust instead of the public authorities, - for stdin',
    );
}

/** What is said of the URL where the environment may have it. */
export const FROM_ENVIRONMENT = `default: ${URL_VARIABLE}`;

/** Adds the flags for what is expected of a source. */
export function withExpectation(command: Command): Command {
  return command
    .option(
      '--expect-within <duration>',
      'send a mail when nothing has changed for so long, such as 1d',
      seconds,
    )
    .option(
      '--input <file>',
      'a file with a JSON object of API fields, - for stdin; flags override it',
    );
}

/** The source that flags, `--input` and the environment give. */
export async function sourceInputOf(
  flags: SourceFlags,
  env: NodeJS.ProcessEnv,
): Promise<Partial<SourceInput>> {
  return withInput(flags.input, {
    kind: 'postgres',
    name: flags.name,
    url: await urlOf(flags, flags.input === undefined ? env : {}),
    ca: await caOf(flags.ca),
    tables: flags.table,
    sync_id: flags.sync,
    expect_within: expectationOf(flags.expectWithin),
  });
}

/** The fields that flags and `--input` change; `tables` are those that the source has. */
export async function sourcePatchOf(
  flags: SourceFlags,
  tables: () => Promise<readonly string[]>,
): Promise<Record<string, unknown>> {
  const { table, addTable = [], removeTable = [] } = flags;
  const changes = addTable.length + removeTable.length > 0;
  if (table !== undefined && changes) {
    throw usage(
      "--table replaces all tables, and can't be combined with --add-table, --remove-table",
    );
  }
  const changed = changes ? edited(await tables(), addTable, removeTable) : undefined;
  return withInput(flags.input, {
    name: flags.name,
    url: await urlOf(flags, {}),
    ca: await caOf(flags.ca),
    tables: table ?? changed,
    expect_within: expectationOf(flags.expectWithin),
  });
}

/** The database to look at that flags and the environment give. Rejects with a `CliError` when they give none. */
export async function sourceDraftOf(
  flags: SourceFlags,
  env: NodeJS.ProcessEnv,
): Promise<Partial<SourceDraft>> {
  const url = await urlOf(flags, env);
  if (url === undefined) throw noUrl();
  return {
    kind: 'postgres',
    url,
    ...given({ ca: await caOf(flags.ca), tables: flags.table }),
  };
}

/** The error for a database that is not named. */
export function noUrl() {
  return usage(
    `The URL of the database is required: --url-file FILE, --url-file - for stdin, or ${URL_VARIABLE}`,
  );
}

async function urlOf(
  { urlFile }: SourceFlags,
  env: NodeJS.ProcessEnv,
): Promise<string | undefined> {
  if (urlFile !== undefined) return textOf(urlFile, await readBytes(urlFile)).trim();
  const text = env[URL_VARIABLE]?.trim();
  return text === '' ? undefined : text;
}

/** The certificates of a file; null to trust the public authorities, undefined where no flag says it. */
async function caOf(ca: SourceFlags['ca']): Promise<string | null | undefined> {
  if (typeof ca === 'string') return textOf(ca, await readBytes(ca));
  return ca === false ? null : undefined;
}

/** A `--no-…` that was not given is true, and says nothing. */
function expectationOf(within: SourceFlags['expectWithin']): number | null | undefined {
  if (typeof within === 'number') return within;
  return within === false ? null : undefined;
}

function edited(
  tables: readonly string[],
  added: readonly string[],
  removed: readonly string[],
): string[] {
  const unknown = removed.find((one) => !tables.includes(one));
  if (unknown !== undefined) throw usage(`${unknown} is not a table of the source`);
  const kept = tables.filter((one) => !removed.includes(one));
  return [...new Set([...kept, ...added])];
}
