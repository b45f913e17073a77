import { once } from 'node:events';
import { createInterface } from 'node:readline/promises';

import type { Command } from 'commander';

import { CliError, EXIT, usage } from './exit.ts';

const BY_FLAG = '  --yes goes on without a question';

/** The flag of a command that destroys something. */
export interface YesFlag {
  yes?: boolean;
}

/** Adds `--yes` to a command that destroys something. */
export function withYes(command: Command): Command {
  return command.option('--yes', 'skip the confirmation, which is only asked for on a terminal');
}

/**
 * Asks on a terminal whether to proceed, and rejects with a `CliError` unless the answer is yes. Scripts, whose
 * stdin is not a terminal, are not asked.
 */
export async function confirm(
  question: string,
  options: { flags: YesFlag; signal: AbortSignal },
): Promise<void> {
  const { stdin, stderr } = process;
  const { flags, signal } = options;
  if (flags.yes === true || !stdin.isTTY) return;
  if (!stderr.isTTY) throw usage(`On stderr nobody can be asked: ${question}`, BY_FLAG);
  const asked = createInterface({ input: stdin, output: stderr });
  asked.on('SIGINT', () => process.kill(process.pid, 'SIGINT')); // the terminal hands Ctrl-C to the question
  try {
    const closed = once(asked, 'close').then(() => ''); // by Ctrl-D, without an answer
    const answered = asked.question(`${question} [y/N] `, { signal }).catch((error: unknown) => {
      if (signal.aborted) throw error;
      return ''; // it was closed
    });
    const answer = await Promise.race([answered, closed]);
    if (/^(?:y|yes)$/iu.test(answer.trim())) return;
  } finally {
    asked.close();
  }
  throw new CliError(EXIT.failed, 'Nothing was changed', BY_FLAG);
}
