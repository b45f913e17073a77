import { readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';

import { createClient, type Client } from '../api/client.ts';
import { parseJson } from '../streams/exactJson.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { fetchOurs } from './ours.ts';
import { createOutput, type Output } from './output.ts';

/** What every command that uses the API gets. */
export interface Context {
  client: Client;
  out: Output;
  /** Where the API key comes from: a flag, a variable, or a file. */
  keySource: string;
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

/** Opens the API that flags, the environment or this folder name, in this order. Rejects with a `CliError`. */
export async function openContext(
  options: GlobalOptions,
  env: NodeJS.ProcessEnv,
  signal: AbortSignal,
): Promise<Context> {
  const url = await apiUrl(options, env);
  const apiKey = keyOf(options, env);
  if (apiKey === null) {
    throw new CliError(
      EXIT.auth,
      `There is no API key: neither --api-key nor MILLRACE_API_KEY is set, and there is none in ${resolve(keyPath(env))}`,
      '  Start Millrace here with millrace dev, which creates it, or set MILLRACE_DATA_DIR to the data folder of one that runs',
    );
  }
  const client = createClient({ url, apiKey, signal, parse: parseJson, fetch: fetchOurs });
  const out = createOutput({ isJson: options.json === true });
  return { client, out, keySource: keySource(options, env), signal, env };
}

/**
 * The URL of the API: from a flag, else `MILLRACE_URL`, else of the `millrace dev` that runs on this
 * data folder, else the port of `MILLRACE_PORT` here. Rejects with a `CliError` when it is not an http
 * or https URL, and when what ran on this folder was killed.
 */
export async function apiUrl(
  options: { url?: string | undefined },
  env: NodeJS.ProcessEnv,
): Promise<string> {
  const url = options.url ?? nonEmpty(env['MILLRACE_URL']);
  if (url === undefined) return (await runningUrl(dataDirOf(env))) ?? localUrl(env);
  const name = options.url === undefined ? 'MILLRACE_URL' : '--url';
  const parsed = URL.parse(url);
  if (parsed === null || !/^https?:$/u.test(parsed.protocol)) {
    throw usage(`${name} must be an http or https URL such as ${DEFAULT_URL}, not ${url}`);
  }
  const { username, password, pathname, search, hash } = parsed;
  if (`${username}${password}${pathname}${search}${hash}` !== '/') {
    throw usage(
      `${name} must be a URL such as ${DEFAULT_URL}: without a login, path, query or fragment`,
    );
  }
  return url;
}

async function runningUrl(dataDir: string): Promise<string | null> {
  const { findRunning } = await import('../embedded/lock.ts');
  const running = await findRunning(dataDir).catch(() => null); // not readable: like a folder without one
  if (running === null || running.isAlive) return running?.address ?? null;
  throw new CliError(
    EXIT.unavailable,
    `Millrace does not run on ${dataDir} any more: its process ${running.pid}, which answered at ${running.address}, has ended without stopping`,
    '  Start it again with millrace dev, or name another with --url or MILLRACE_URL',
  );
}

/** Where `server.ts` listens with this environment; `MILLRACE_PORT=0` says nothing about it. */
function localUrl(env: NodeJS.ProcessEnv): string {
  const port = nonEmpty(env['MILLRACE_PORT']);
  return /^[1-9]\d*$/u.test(port ?? '') ? `http://127.0.0.1:${port}` : DEFAULT_URL;
}

/**
 * The API key from a flag, else the environment, else this folder; null when there is none. Throws a `CliError`
 * that says where the key comes from, without repeating it, when it is malformed.
 */
export function keyOf(
  options: { apiKey?: string | undefined },
  env: NodeJS.ProcessEnv,
): string | null {
  const given = (options.apiKey ?? nonEmpty(env['MILLRACE_API_KEY']))?.trim();
  const key = given ?? keptKey(env);
  if (key === null || /^[\x21-\x7e]+$/u.test(key)) return key;
  const name = keySource(options, env);
  const why = key === '' ? 'is empty' : 'has a blank, or a character that no API key has';
  throw new CliError(EXIT.auth, `${name} ${why}`);
}

/** Where `keyOf` takes the key from. */
function keySource(options: { apiKey?: string | undefined }, env: NodeJS.ProcessEnv): string {
  if (options.apiKey !== undefined) return '--api-key';
  return nonEmpty(env['MILLRACE_API_KEY']) === undefined ? keyPath(env) : 'MILLRACE_API_KEY';
}

function keptKey(env: NodeJS.ProcessEnv): string | null {
  try {
    return nonEmpty(readFileSync(keyPath(env), 'utf8').trim()) ?? null;
  } catch {
    return null; // no such file, or not readable
  }
}

function keyPath(env: NodeJS.ProcessEnv): string {
  return join(dataDirOf(env), 'api-key');
}

function dataDirOf(env: NodeJS.ProcessEnv): string {
  return nonEmpty(env['MILLRACE_DATA_DIR']) ?? '.millrace';
}

function nonEmpty(text: string | undefined): string | undefined {
  return text === '' ? undefined : text;
}
