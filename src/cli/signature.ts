import { type Command, InvalidArgumentError } from 'commander';

import type { GlobalOptions } from './context.ts';
import { EXIT, usage } from './exit.ts';
import { explainSignature, TOLERANCE_S, type Verdict } from './explainSignature.ts';
import { createOutput } from './output.ts';
import { examples, readBytes } from './values.ts';

interface SignatureFlags {
  secret: string;
  id?: string;
  timestamp?: string;
  signature?: string;
  headerFile?: string;
  body: string;
  tolerance: number | null;
}

/** Adds `millrace signature verify|explain`, which work without an API. */
export function addSignatureCommands(program: Command, exit: (code: number) => void): void {
  const group = program
    .command('signature')
    .description('check the signature of a webhook that was received')
    .addHelpText(
      'before',
      examples(
        [
          'millrace signature verify --secret whsec_… --header-file headers.txt --body body.json',
          '',
        ],
        [
          'millrace signature explain --secret whsec_… --id … --timestamp … --signature v1,… --body -',
          '',
        ],
      ),
    );
  withFlags(group.command('verify'))
    .description('verify a signature; exit 0 when it is valid, 1 when it is not')
    .action(async (flags: SignatureFlags) => {
      const verdict = await judge(flags);
      say(program, verdict, [
        ['Signature', verdict.ok ? 'valid' : `not valid: ${verdict.finding}`],
      ]);
      exit(verdict.ok ? EXIT.ok : EXIT.failed);
    });
  withFlags(group.command('explain'))
    .description('explain why a signature is not valid, and what to do about it')
    .action(async (flags: SignatureFlags) => {
      const verdict = await judge(flags);
      const { finding, fix } = verdict;
      say(program, verdict, [
        ['Finding', finding],
        ...(fix === null ? [] : [['Fix', fix] as const]),
      ]);
      exit(verdict.ok ? EXIT.ok : EXIT.failed);
    });
}

function withFlags(command: Command): Command {
  return command
    .requiredOption('--secret <whsec>', "the target's signing_secret")
    .option('--id <id>', 'the webhook-id header')
    .option('--timestamp <seconds>', 'the webhook-timestamp header')
    .option('--signature <signature>', 'the webhook-signature header')
    .option('--header-file <file>', 'the headers, one "name: value" per line, - for stdin')
    .requiredOption('--body <file>', 'the raw body as it came, - for stdin')
    .option(
      '--tolerance <seconds>',
      'how far the timestamp may be off, in seconds, or any',
      tolerance,
      TOLERANCE_S,
    );
}

function tolerance(text: string): number | null {
  if (text === 'any') return null;
  if (/^\d{1,9}$/u.test(text)) return Number(text);
  throw new InvalidArgumentError('It must be a number of seconds, or any.');
}

async function judge(flags: SignatureFlags): Promise<Verdict> {
  if (flags.headerFile === '-' && flags.body === '-') {
    throw usage('Only one of --header-file and --body can be stdin');
  }
  const headers =
    flags.headerFile === undefined
      ? new Map<string, string>()
      : headersOf((await readBytes(flags.headerFile)).toString('utf8'));
  return explainSignature(
    {
      secret: flags.secret,
      id: flags.id ?? headers.get('webhook-id') ?? null,
      timestamp: flags.timestamp ?? headers.get('webhook-timestamp') ?? null,
      signature: flags.signature ?? headers.get('webhook-signature') ?? null,
      body: await readBytes(flags.body),
    },
    { nowS: Math.floor(Date.now() / 1_000), toleranceS: flags.tolerance },
  );
}

function headersOf(text: string): Map<string, string> {
  const pairs = text.split(/\r?\n/u).flatMap((line): [string, string][] => {
    const [, name, value] = /^[<> ]*([\w-]+): ?(.*)$/u.exec(line) ?? [];
    return name === undefined ? [] : [[name.toLowerCase(), (value ?? '').trim()]];
  });
  return new Map(pairs);
}

function say(program: Command, verdict: Verdict, fields: (readonly [string, unknown])[]): void {
  const out = createOutput({ isJson: program.opts<GlobalOptions>().json === true });
  out.thing(verdict, fields);
}
