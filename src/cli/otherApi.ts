import { ClientError, type Client } from '../api/client.ts';
import type { Info } from '../schema/info.ts';
import { CliError, EXIT } from './exit.ts';
import { isMillrace, notOurs } from './ours.ts';

/** How long an API may take to say what it is. */
const ANSWER_MS = 3_000;

/**
 * The reason for an error that may come from an API other than this command expects: another program, or a
 * Millrace of another version. Resolves with the error itself if it is neither.
 */
export async function reasonOf(
  error: unknown,
  { client, version }: { client: Client; version: string },
): Promise<unknown> {
  if (!(error instanceof TypeError) && !isUnknownThere(error)) return error;
  const { url } = client;
  if (!(await isMillrace(url, AbortSignal.timeout(ANSWER_MS)))) return notOurs(url);
  const theirs = await versionOf(client);
  if (theirs === null || theirs === version) return error;
  const why = error instanceof ClientError ? error.detail : 'its answer could not be read';
  return new CliError(
    EXIT.failed,
    `Millrace ${theirs} answers at ${url}, and this command is of ${version}: ${why}`,
    '  Use the command of the version of the API',
  );
}

/** Whether the API does not know what was requested, be it the route or a part of the request. */
function isUnknownThere(error: unknown): error is ClientError {
  if (!(error instanceof ClientError)) return false;
  const { status, detail, problem } = error;
  if (status === 404) {
    return detail.startsWith('There is nothing at') && !detail.endsWith('the id is not valid');
  }
  return (problem.errors ?? []).some((one) => /^is not a (?:known )?field\b/u.test(one.detail));
}

async function versionOf(client: Client): Promise<string | null> {
  try {
    const signal = AbortSignal.timeout(ANSWER_MS);
    const { version } = await client.request<Partial<Info>>('GET', '/v1/info', { signal });
    return typeof version === 'string' ? version : null;
  } catch {
    return null; // it does not say so, or not to this key
  }
}
