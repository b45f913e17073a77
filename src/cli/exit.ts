import { ClientError } from '../api/client.ts';
import type { Problem } from '../schema/problem.ts';
import type { SourceFinding } from '../schema/source.ts';
import { placeLines } from './expressionPlace.ts';
import { nameOf, type Flags } from './flagNames.ts';
import { printable } from './table.ts';

/** The exit codes of the CLI. Scripts rely on them, so they must not change. */
export const EXIT = {
  ok: 0,
  failed: 1,
  usage: 2,
  notFound: 3,
  auth: 4,
  conflict: 5,
  unavailable: 69,
  interrupted: 130,
} as const;
/** What each exit code means, as `--help` and docs/cli.md say it. */
export const EXIT_MEANINGS: Record<keyof typeof EXIT, string> = {
  ok: 'done',
  failed: 'failed: the API refused it, or what was tried did not succeed',
  usage: "a flag or an argument can't be used; nothing was done",
  notFound: 'what was named does not exist',
  auth: 'the API key is missing or unknown, or lacks the scope',
  conflict: 'it conflicts with the current state',
  unavailable: 'Millrace, or a server that it needs, does not answer',
  interrupted: 'interrupted, for example by Ctrl-C',
};

/** The list of exit codes at the end of `millrace --help`. */
export function exitHelp(): string {
  const names = Object.keys(EXIT) as (keyof typeof EXIT)[];
  const lines = names.map((name) => `  ${String(EXIT[name]).padEnd(3)}  ${EXIT_MEANINGS[name]}`);
  return `\nExit codes:\n${lines.join('\n')}`;
}

/** One of the exit codes. */
export type ExitCode = (typeof EXIT)[keyof typeof EXIT];

/**
 * Ends the command with an exit code and one sentence for the user; `hint` says what to do about it. As the cause it
 * may have the error of the API that it explains.
 */
export class CliError extends Error {
  override name = 'CliError';
  readonly exitCode: ExitCode;
  readonly hint: string | null;

  constructor(
    exitCode: ExitCode,
    message: string,
    hint: string | null = null,
    options?: { cause: ClientError },
  ) {
    super(message, options);
    this.exitCode = exitCode;
    this.hint = hint;
  }
}

/** The error for a flag or argument that can't be used. */
export function usage(message: string, hint: string | null = null): CliError {
  return new CliError(EXIT.usage, message, hint);
}

/** The exit code for an error that a command threw. */
export function exitCodeOf(error: unknown): ExitCode {
  if (error instanceof CliError) return error.exitCode;
  if (!(error instanceof ClientError)) return EXIT.failed;
  const { status } = error;
  if (status === 404) return EXIT.notFound;
  if (status === 401 || status === 403) return EXIT.auth;
  if (status === 409) return EXIT.conflict;
  return status === 0 || [502, 503, 504].includes(status) ? EXIT.unavailable : EXIT.failed;
}

/** What a command was given, and whom it asked. */
interface Asked {
  flags?: Flags;
  url?: string | undefined;
  keySource?: string | undefined;
}

/**
 * Describes an error for people in a few lines, with a stack trace only for a bug in Millrace. What the API
 * says about fields is said about the flags and arguments of the command. `url`: that of the API, to name its
 * page about the error; `keySource`: where its key comes from.
 */
export function describe(
  error: unknown,
  { flags = { flags: [], args: [] }, url, keySource }: Asked = {},
): string {
  if (error instanceof CliError) {
    const page = error.cause instanceof ClientError ? pageOf(error.cause, url) : null;
    return lines(error.message, error.hint, page);
  }
  if (error instanceof ClientError) {
    const errors = error.problem.errors ?? [];
    const [first, ...more] = errors.map(
      (one) => `${nameOf(one.pointer, flags)}${placeIn(one)} ${one.detail}`,
    );
    const id = error.requestId === null ? null : `  (request ${error.requestId})`;
    const faults = more.map((one) => `  ${one}`);
    return lines(
      printable(first ?? error.detail),
      ...errors.slice(0, 1).flatMap((one) => placeLines(error.sentAt(one.pointer), one)),
      ...faults.map(printable),
      ...findingsOf(error).map(printable),
      hintOf(error, keySource),
      error.status >= 500 ? id : null,
      pageOf(error, url),
    );
  }
  if (!(error instanceof Error)) return String(error);
  const ours = error instanceof TypeError || error instanceof ReferenceError;
  if (ours) return error.stack ?? error.message;
  const { code } = error as NodeJS.ErrnoException; // several errors in one have no message of their own
  return error.message || code || error.name;
}

/** Where an expression is wrong: `, line 1, column 7:`; empty for any other fault. */
function placeIn({ line, column }: NonNullable<Problem['errors']>[number]): string {
  return line === undefined ? '' : `, line ${line}, column ${column}:`;
}

/** All that keeps a database from being followed, unless the detail says the only thing. */
function findingsOf({ problem }: ClientError): string[] {
  const findings = (problem as { findings?: SourceFinding[] }).findings ?? [];
  return findings.slice(1).map(({ problem: what, advice }) => `  ${what} ${advice}`);
}

/** The address at which the API's documentation says what the code of the error means. */
function pageOf({ problem: { docs } }: ClientError, url: string | undefined): string | null {
  const isPage = docs !== undefined && /^\/docs\/[\w/#-]+$/u.test(docs);
  return isPage && url !== undefined ? `  See ${url}${docs}` : null;
}

function hintOf({ status, detail }: ClientError, keySource: string | undefined): string | null {
  if (status === 0 && detail.includes('ERR_SSL_WRONG_VERSION_NUMBER')) {
    return '  What answers there does not speak https: try http://';
  }
  if (status === 0)
    return '  Start one here with millrace dev, or name another with --url or MILLRACE_URL';
  if (status !== 401) return null;
  const source = keySource === undefined ? '' : `The key is that of ${keySource}. `;
  return `  ${source}Set another one with --api-key or MILLRACE_API_KEY`;
}

function lines(...parts: (string | null)[]): string {
  return parts.filter((part) => part !== null).join('\n');
}
