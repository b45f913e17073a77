import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { createClient, type Client } from '../api/client.ts';
import { parseJson } from '../streams/exactJson.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { createOutput, type Output } from './output.ts';

/** What every command that uses the API gets. */
export interface Context {
  client: Client;
  out: Output;
  /** Aborts at Ctrl-C. */
  signal: AbortSignal;
  env: NodeJS.ProcessEnv;
}

/** The options that every command takes. */
export interface GlobalOptions {
  url?: string;
  apiKey?: string;
  json?: boolean;
}

/** Runs a command that uses the API. It returns its exit code, or nothing for 0. */
export type RunCommand = (work: (context: Context) => Promise<number | void>) => Promise<void>;

const DEFAULT_URL = 'http://127.0.0.1:4600';

/** Opens the API that flags, the environment or this folder name, in this order. Throws a `CliError`. */
export function openContext(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Context {
  const url = apiUrl(options, env);
  const apiKey = keyOf(options, env);
  if (apiKey === null) {
    throw new CliError(
      EXIT.auth,
      'An API key is needed: --api-key, MILLRACE_API_KEY, or a folder with .millrace/api-key (millrace dev creates it)',
    );
  }
  const client = createClient({ url, apiKey, signal, parse: parseJson });
  return { client, out: createOutput({ isJson: options.json === true }), signal, env };
}

/** The URL of the API. Throws a `CliError` when it is not an http or https URL. */
export function apiUrl(options: { url?: string | undefined }, env: NodeJS.ProcessEnv): string {
  const url = options.url ?? nonEmpty(env['MILLRACE_URL']) ?? DEFAULT_URL;
  if (!/^https?:$/u.test(URL.parse(url)?.protocol ?? '')) {
    const name = options.url === undefined ? 'MILLRACE_URL' : '--url';
    throw usage(`${name} must be an http or https URL such as ${DEFAULT_URL}, not ${url}`);
  }
  return url;
}

/** The API key from a flag, else the environment, else this folder; null when there is none. */
export function keyOf(
  options: { apiKey?: string | undefined },
  env: NodeJS.ProcessEnv,
): string | null {
  return options.apiKey ?? nonEmpty(env['MILLRACE_API_KEY']) ?? keptKey(env);
}

function keptKey(env: NodeJS.ProcessEnv): string | null {
  try {
    const folder = nonEmpty(env['MILLRACE_DATA_DIR']) ?? '.millrace';
    return nonEmpty(readFileSync(join(folder, 'api-key'), 'utf8').trim()) ?? null;
  } catch {
    return null; // no such file, or not readable
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
