import type { Argument, Command, Option } from 'commander';

/** A word that may be completed at a position of the command line. */
export interface Word {
  value: string;
  /** What it does, in a few words. */
  about: string;
}

/** The candidates at a position: words, names that the API knows, or files, which the shell completes itself. */
export type Candidates =
  | { kind: 'words'; words: Word[] }
  | { kind: 'names'; of: NamedKind; words?: Word[] }
  | { kind: 'files' };

/** What is completed by its name. */
export type NamedKind = 'consumers' | 'targets' | 'sources' | 'keys';

const NAMES: Record<string, NamedKind> = {
  consumer: 'consumers',
  source: 'sources',
  target: 'targets',
  key: 'keys',
};

/** The candidates for the last of `words`; the words before it are complete. Each begins with that word. */
export function candidates(program: Command, words: readonly string[]): Candidates {
  const before = words.slice(0, -1);
  const last = words.at(-1) ?? '';
  let command = program;
  let takes: Option | null = null;
  let place = 0;
  for (const word of before) {
    if (takes !== null) takes = null;
    else if (word.startsWith('-')) takes = valueOf(program, command, word);
    else {
      const next = visible(command).find((one) => one.name() === word);
      if (next === undefined) place += 1;
      else command = next;
    }
  }
  if (takes !== null) return ofValue(takes, last);
  if (last.startsWith('-')) return { kind: 'words', words: begin(last, flagsOf(program, command)) };
  const commands = visible(command).map((one) => word(one.name(), one.description()));
  const argument = ofArgument(command.registeredArguments[place], last);
  if (commands.length === 0 || place > 0) return argument;
  const offered = begin(last, commands);
  if (argument.kind === 'names') return { ...argument, words: offered };
  return { kind: 'words', words: offered };
}

/** The option that a word names if its value is the next word; null otherwise. */
function valueOf(program: Command, command: Command, given: string): Option | null {
  const found = [...command.options, ...program.options].find(
    (one) => one.long === given || one.short === given,
  );
  return found !== undefined && (found.required || found.optional) ? found : null;
}

function ofValue(option: Option, last: string): Candidates {
  const named = NAMES[option.name()];
  if (named !== undefined && named !== 'keys') return { kind: 'names', of: named };
  if (option.argChoices === undefined) return { kind: 'files' };
  return chosen(last, option.argChoices);
}

function ofArgument(argument: Argument | undefined, last: string): Candidates {
  const named = NAMES[argument?.name() ?? ''];
  if (named !== undefined) return { kind: 'names', of: named };
  if (argument?.argChoices === undefined) return { kind: 'files' };
  return chosen(last, argument.argChoices);
}

function chosen(last: string, choices: readonly string[]): Candidates {
  const words = choices.map((one) => word(one, ''));
  return { kind: 'words', words: begin(last, words) };
}

function flagsOf(program: Command, command: Command): Word[] {
  const own = command === program ? [] : command.options;
  return [...own, ...program.options]
    .filter((one) => one.long !== undefined && !one.hidden)
    .map((one) => word(one.long!, one.description))
    .concat(word('--help', 'show help'));
}

function visible(command: Command): Command[] {
  return command
    .createHelp()
    .visibleCommands(command)
    .filter((one) => one.name() !== 'help');
}

function word(value: string, about: string): Word {
  return { value, about };
}

function begin(last: string, words: Word[]): Word[] {
  return words.filter(({ value }) => value.startsWith(last));
}
