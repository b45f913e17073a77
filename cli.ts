#!/usr/bin/env node
import { readFileSync } from 'node:fs';
import { Command, CommanderError } from 'commander';

/** Exit codes of the CLI: 0 ok, 1 failed, 2 usage, 69 unavailable, 130 interrupted. */
const FAILED = 1;
const USAGE = 2;

const { version } = JSON.parse(
  readFileSync(new URL('./package.json', import.meta.url), 'utf8'),
) as { version: string };

process.exitCode = await main(process.argv);

async function main(argv: string[]): Promise<number> {
  let code = 0;
  const program = new Command('millrace')
    .description(
      'Sends the changes of a record or event stream to HTTP endpoints, through Temporal.',
    )
    .version(version)
    .addHelpText(
      'before',
      `Examples:
  millrace dev                  run everything here: Postgres, Temporal, API, worker, a receiver
  millrace dev --port 8080      the same, with the API on another port
  millrace demo --once          deliver a real data set and check every webhook
`,
    )
    .showHelpAfterError('(millrace --help shows what there is)')
    .exitOverride();

  program
    .command('dev')
    .description('run everything on this machine until Ctrl-C (npm start)')
    .option('--port <port>', 'of the API (MILLRACE_PORT, 4600)')
    .option('--data-dir <folder>', 'what is kept (MILLRACE_DATA_DIR, ./.millrace)')
    .action(async (options: { port?: string; dataDir?: string }) => {
      const { runDev } = await import('./src/cli/dev.ts');
      code = await runDev({
        env: {
          ...process.env,
          ...(options.port !== undefined && { MILLRACE_PORT: options.port }),
          ...(options.dataDir !== undefined && { MILLRACE_DATA_DIR: options.dataDir }),
        },
      });
    });

  program
    .command('demo')
    .description(
      'deliver a real data set to a receiver here and check every webhook (npm run demo)',
    )
    .option('--once', 'exit when all was delivered and verified')
    .action(async (options: { once?: boolean }) => {
      const { runDemo } = await import('./src/cli/demo.ts');
      code = await runDemo({ env: process.env, once: options.once === true });
    });

  try {
    await program.parseAsync(argv);
    return code;
  } catch (error) {
    if (error instanceof CommanderError) return error.exitCode === 0 ? 0 : USAGE;
    process.stderr.write(`${describe(error)}\n`);
    return FAILED;
  }
}

/** One sentence for what a user can act on, a stack for a fault of ours. */
function describe(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const ours = error instanceof TypeError || error instanceof ReferenceError;
  return ours ? (error.stack ?? error.message) : error.message;
}
