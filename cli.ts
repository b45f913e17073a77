#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { setGlobalProxyFromEnv } from 'node:http';

import { Command, CommanderError } from 'commander';

import { addApiKeyCommands } from './src/cli/apiKeys.ts';
import { addExamples } from './src/cli/commandExamples.ts';
import { addCompletion } from './src/cli/completion.ts';
import { addConsole } from './src/cli/consoleLink.ts';
import { addConsumerCommands } from './src/cli/consumers.ts';
import {
  openContext,
  type Context,
  type GlobalOptions,
  type RunCommand,
} from './src/cli/context.ts';
import { addDoctor } from './src/cli/doctorCommand.ts';
import { withPlaces } from './src/cli/elsewhere.ts';
import { describe, EXIT, exitCodeOf, exitHelp } from './src/cli/exit.ts';
import { addFind } from './src/cli/findCommand.ts';
import type { Flags } from './src/cli/flagNames.ts';
import { addHistoryCommands } from './src/cli/history.ts';
import { addImport } from './src/cli/importCommand.ts';
import { addIngest } from './src/cli/ingestCommand.ts';
import { onInterrupt } from './src/cli/interrupt.ts';
import { reasonOf } from './src/cli/otherApi.ts';
import { addParked } from './src/cli/parked.ts';
import { addRecordCommands } from './src/cli/records.ts';
import { addSeenCommands } from './src/cli/seen.ts';
import { addSignatureCommands } from './src/cli/signature.ts';
import { addSourceCommands } from './src/cli/sources.ts';
import { addStatus } from './src/cli/status.ts';
import { addStreamCommands } from './src/cli/streams.ts';
import { addTargetCommands } from './src/cli/targets.ts';
import { examples, wholeNumber } from './src/cli/values.ts';
import { proxiesToSet } from './src/process/proxies.ts';

const { version } = JSON.parse(
  readFileSync(new URL('./package.json', import.meta.url), 'utf8'),
) as { version: string };

const proxies = proxiesToSet(process.env);
if (proxies !== null) setGlobalProxyFromEnv(proxies);
/** Whether the reader of our output has ended, as with `| head`. What runs is then ended as by Ctrl-C. */
let isUnread = false;
for (const stream of [process.stdout, process.stderr]) {
  stream.on('error', (error: NodeJS.ErrnoException) => {
    if (isUnread) return;
    if (error.code !== 'EPIPE') throw error;
    isUnread = true;
    if (process.listenerCount('SIGINT') > 0) process.kill(process.pid, 'SIGINT');
  });
}

process.exitCode = await main(process.argv);

async function main(argv: string[]): Promise<number> {
  let code: number = EXIT.ok;
  let given: Flags = { flags: [], args: [] };
  let asked: Context | null = null;
  const interrupted = new AbortController();
  const program: Command = new Command('millrace')
    .description(
      'Sends the changes of a record or event stream to HTTP endpoints, through Temporal.',
    )
    .version(version)
    .option(
      '--url <url>',
      'address of the API (default: MILLRACE_URL, else what runs on ./.millrace)',
    )
    .option('--api-key <key>', 'API key (default: MILLRACE_API_KEY, else ./.millrace/api-key)')
    .option('--json', 'print data as JSON, as the API returns it')
    .addHelpText(
      'before',
      examples(
        ['millrace dev', 'run everything here: Postgres, Temporal, API, worker, a receiver'],
        ['millrace dev --port 8080', 'the same, with the API on another port'],
        ['millrace demo --once', 'deliver a real data set and check every webhook'],
        ['millrace listen --forward-to http://localhost:3000/hook', 'webhooks to your machine'],
        ['millrace consumers list', 'list consumers with their status and position'],
        ['millrace status', 'what runs, and what is wrong'],
        ['millrace console', 'open the console, signed in'],
        ['millrace doctor', 'what is wrong on this machine, and how to fix it'],
      ),
    )
    .addHelpText('after', exitHelp())
    .configureHelp({ showGlobalOptions: true })
    .showHelpAfterError('(--help lists commands and options)')
    .configureOutput({ outputError: (error, write) => write(withPlaces(program, error)) })
    .exitOverride()
    .hook('preAction', (_program, command) => {
      given = flagsOf(command);
    });

  const run: RunCommand = async (work) => {
    onInterrupt({ first: () => interrupted.abort(), again: () => process.exit(EXIT.interrupted) });
    const options = program.opts<GlobalOptions>();
    asked = await openContext(options, process.env, interrupted.signal);
    code = (await work(asked)) ?? EXIT.ok;
    if (isUnread && code === EXIT.interrupted) code = EXIT.ok; // it only printed, until nobody read it
  };

  program
    .command('dev')
    .description('run everything on this machine until Ctrl-C (npm start)')
    .option(
      '--port <port>',
      'port of the API (default: MILLRACE_PORT, else 4600)',
      wholeNumber(0, 65_535),
    )
    .option(
      '--data-dir <folder>',
      'where data is kept (default: MILLRACE_DATA_DIR, else ./.millrace)',
    )
    .action(async (options: { port?: number; dataDir?: string }) => {
      const { runDev } = await import('./src/cli/dev.ts');
      code = await runDev({
        env: {
          ...process.env,
          ...(options.port !== undefined && { MILLRACE_PORT: String(options.port) }),
          ...(options.dataDir !== undefined && { MILLRACE_DATA_DIR: options.dataDir }),
        },
      });
    });

  program
    .command('demo')
    .description(
      'deliver a real data set to a receiver here and check every webhook (npm run demo)',
    )
    .option('--once', 'exit once everything is delivered and verified')
    .option('--postgres', 'follow the tables of a second Postgres instead of appending')
    .action(async ({ once = false, postgres = false }: { once?: boolean; postgres?: boolean }) => {
      const { runDemo } = await import('./src/cli/demo.ts');
      code = await runDemo({ env: process.env, once, postgres });
    });

  addStreamCommands(program, run, version);
  addImport(program, run);
  addIngest(program, run);
  addSeenCommands(program, run);
  addRecordCommands(program, run);
  addSourceCommands(program, run);
  addTargetCommands(program, run);
  addConsumerCommands(program, run);
  addHistoryCommands(program, run);
  addParked(program, run);
  const keys = program
    .command('keys')
    .description('manage API keys, and rotate the encryption key');
  addApiKeyCommands(keys, run);
  keys
    .command('rotate')
    .description('seal every secret again with the first of MILLRACE_ENCRYPTION_KEYS')
    .action(async () => {
      const { runKeysRotate } = await import('./src/cli/keys.ts');
      code = await runKeysRotate({ env: process.env });
    });
  addStatus(program, run);
  addFind(program, run);
  addConsole(program, run);
  addCompletion(program);
  addSignatureCommands(program, (given) => (code = given));
  addDoctor(program, (given) => (code = given));
  addExamples(program);

  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? EXIT.ok : EXIT.usage;
    if (interrupted.signal.aborted) return EXIT.interrupted;
    const told = await explained(error, asked);
    process.stderr.write(`${describe(told, { flags: given, ...askedOf(asked) })}\n`);
    return exitCodeOf(told);
  }
}

/** The API that a command asked, for its errors; nothing when it asked none. */
function askedOf(asked: Context | null): { url?: string; keySource?: string } {
  return asked === null ? {} : { url: asked.client.url, keySource: asked.keySource };
}

/** The flags and arguments of a command, by which errors name what was given. */
function flagsOf(command: Command): Flags {
  return {
    flags: command.options.flatMap(({ long }) => long ?? []),
    args: command.registeredArguments.map((one) => `<${one.name()}>`),
  };
}

/** The error, or what it comes of where the API is another one than this command expects. */
async function explained(error: unknown, asked: Context | null): Promise<unknown> {
  return asked === null ? error : reasonOf(error, { client: asked.client, version });
}
