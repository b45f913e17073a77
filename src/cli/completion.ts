import { Argument, type Command } from 'commander';

import type { Client, Page } from '../api/client.ts';
import { candidates, type Candidates, type NamedKind, type Word } from './candidates.ts';
import { openContext, type GlobalOptions } from './context.ts';
import { printable } from './table.ts';
import { examples } from './values.ts';

/** Nobody waits longer than this for a completion. */
const ANSWER_MS = 5_000;
const NAMES = 1_000;

/** Adds `millrace completion`, and `millrace complete`, which its scripts call. */
export function addCompletion(program: Command): void {
  program
    .command('completion')
    .description('print a script that completes commands, flags and names in your shell')
    .addHelpText(
      'before',
      examples(
        ['source <(millrace completion bash)', 'in ~/.bashrc'],
        ['source <(millrace completion zsh)', 'in ~/.zshrc, after compinit'],
        ['millrace completion fish | source', 'in ~/.config/fish/config.fish'],
      ),
    )
    .addArgument(
      new Argument('<shell>', 'the shell to print a script for').choices(Object.keys(SCRIPTS)),
    )
    .action((shell: string) => void process.stdout.write(SCRIPTS[shell]!));

  program
    .command('complete', { hidden: true })
    .description(
      'print candidates for the last word, one per line, each with a tab and its description',
    )
    .argument('[words...]')
    .action(async (words: string[]) => {
      const plain = words.map((one) => one.replace(/^["']/u, '').replaceAll(/\\(.)/gu, '$1'));
      for (const { value, about } of await wordsOf(program, candidates(program, plain), plain)) {
        process.stdout.write(`${printable(value)}\t${printable(about)}\n`);
      }
    });
}

async function wordsOf(
  program: Command,
  found: Candidates,
  words: readonly string[],
): Promise<Word[]> {
  if (found.kind !== 'names') return found.kind === 'words' ? found.words : [];
  const { words: more = [] } = found;
  const last = (words.at(-1) ?? '').toLowerCase();
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const { client } = await openContext(program.opts<GlobalOptions>(), process.env, signal);
    const { data } = await listOf(client, found.of);
    const named = data.filter(({ name }) => name.toLowerCase().startsWith(last));
    return [...more, ...named.map(({ id, name }) => ({ value: name, about: id }))];
  } catch {
    return more; // no API answers: there are no names, and a completion is no place for an error
  }
}

function listOf(client: Client, what: NamedKind): Promise<Page<{ id: string; name: string }>> {
  if (what === 'keys') return client.apiKeys.list({ limit: NAMES });
  return client[what].list({ limit: NAMES });
}

const BASH = `# bash completion of millrace: source <(millrace completion bash)
_millrace() {
  local value
  COMPREPLY=()
  while IFS=$'\\t' read -r value _; do
    COMPREPLY+=("$(printf '%q' "$value")")
  done < <(millrace complete -- "\${COMP_WORDS[@]:1:COMP_CWORD}" 2>/dev/null)
}
complete -o default -F _millrace millrace
`;

const ZSH = `#compdef millrace
# zsh completion of millrace: source <(millrace completion zsh)
_millrace() {
  local value about
  local -a found
  while IFS=$'\\t' read -r value about; do
    found+=("\${value//:/\\\\:}:$about")
  done < <(millrace complete -- "\${(@)words[2,CURRENT]}" 2>/dev/null)
  if (( \${#found} )); then _describe millrace found; else _files; fi
}
compdef _millrace millrace
`;

const FISH = `# fish completion of millrace: millrace completion fish | source
function __millrace_complete
  set -l before (commandline -opc)
  set -l last (commandline -ct)
  millrace complete -- $before[2..-1] "$last" 2>/dev/null
end
complete -c millrace -f -a '(__millrace_complete)'
complete -c millrace -n '__fish_seen_subcommand_from import ingest' -F
`;

const SCRIPTS: Record<string, string> = { bash: BASH, zsh: ZSH, fish: FISH };
