import { readFileSync } from 'node:fs';
import { join } from 'node:path';

import { createClient, type Client } from '../api/client.ts';
import { parseJson } from '../streams/exactJson.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { createOutput, type Output } from './output.ts';

/** What every command of the API gets. */
export interface Context {
  client: Client;
  out: Output;
  /** Aborts at Ctrl-C. */
  signal: AbortSignal;
  env: NodeJS.ProcessEnv;
}

export interface GlobalOptions {
  url?: string;
  apiKey?: string;
  json?: boolean;
}

/** Runs a command of the API; what it returns is the exit code, 0 when it returns nothing. */
export type RunCommand = (work: (context: Context) => Promise<number | void>) => Promise<void>;

const DEFAULT_URL = 'http://127.0.0.1:4600';

/** The API that flags, then the environment, then the folder here name. Throws `CliError`. */
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
      'An API key is needed: --api-key, MILLRACE_API_KEY, or a folder with .millrace/api-key (millrace dev makes it)',
    );
  }
  const client = createClient({ url, apiKey, signal, parse: parseJson });
  return { client, out: createOutput({ isJson: options.json === true }), signal, env };
}

/** Where the API is. Throws `CliError` for what is no http or https URL. */
export function apiUrl(options: { url?: string | undefined }, env: NodeJS.ProcessEnv): string {
  const url = options.url ?? nonEmpty(env['MILLRACE_URL']) ?? DEFAULT_URL;
  if (!/^https?:$/u.test(URL.parse(url)?.protocol ?? '')) {
    const name = options.url === undefined ? 'MILLRACE_URL' : '--url';
    throw usage(`${name} must be an http or https URL such as ${DEFAULT_URL}, not ${url}`);
  }
  return url;
}

/** The key that a flag, the environment or the folder here gives; null when none does. */
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
    return null; // none here, or not ours to read
  }
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
