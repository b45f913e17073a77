import { createInterface } from 'node:readline/promises';

import type { Command } from 'commander';

import { CliError, EXIT } from './exit.ts';

/** The flag of a command that destroys something. */
export interface YesFlag {
  yes?: boolean;
}

/** Adds `--yes` to a command that destroys something. */
export function withYes(command: Command): Command {
  return command.option('--yes', 'skip the confirmation, which is only asked for on a terminal');
}

/**
 * Asks on a terminal whether to go on, and rejects with a `CliError` unless the answer is yes. Scripts, which
 * have no terminal, are not asked.
 */
export async function confirm(
  question: string,
  options: { flags: YesFlag; signal: AbortSignal },
): Promise<void> {
  const { stdin, stderr } = process;
  if (options.flags.yes === true || !stdin.isTTY || !stderr.isTTY) return;
  const asked = createInterface({ input: stdin, output: stderr });
  asked.on('SIGINT', () => process.kill(process.pid, 'SIGINT')); // the terminal hands Ctrl-C to the question
  try {
    const answer = await asked.question(`${question} [y/N] `, { signal: options.signal });
    if (/^(?:y|yes)$/iu.test(answer.trim())) return;
  } finally {
    asked.close();
  }
  throw new CliError(EXIT.failed, 'Nothing was changed', '  --yes skips the confirmation');
}
