import { constants } from 'node:fs';
import { access, open, readFile, rename } from 'node:fs/promises';
import { dirname } from 'node:path';

import { createKeptState } from '../sources/messages/keptState.ts';
import type { StateMessage } from '../sources/messages/message.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { unreadable } from './values.ts';

/** Keeps the state of a connector in a file. */
export interface StateFile {
  /** Replaces the file; resolves when it is on disk. */
  keep(states: readonly StateMessage[]): Promise<void>;
}

/**
 * Opens the file of a connector's state, which is replaced atomically, in the form that the connector takes. Of a
 * list of Airbyte, the states of streams that say nothing in this run stay. Rejects with a `CliError` when the file
 * can't be read, is no JSON, or can't be replaced.
 */
export async function openStateFile(path: string): Promise<StateFile> {
  const kept = createKeptState(await readKept(path));
  await access(dirname(path), constants.W_OK).catch((error: NodeJS.ErrnoException) => {
    throw usage(`${path} can't be written (${error.code})`);
  });
  return {
    keep: async (states) => {
      for (const state of states) kept.add(state);
      const text = kept.text();
      if (text !== null) await replace(path, `${text}\n`);
    },
  };
}

async function readKept(path: string): Promise<string | null> {
  let text: string;
  try {
    text = await readFile(path, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return null;
    throw unreadable(path, error);
  }
  if (text.trim() === '') return null;
  try {
    JSON.parse(text);
    return text;
  } catch {
    throw usage(`${path} is not JSON, so --state does not replace it`);
  }
}

async function replace(path: string, text: string): Promise<void> {
  const part = `${path}.part`;
  try {
    await using handle = await open(part, 'w');
    await handle.writeFile(text);
    await handle.sync();
    await rename(part, path);
  } catch (error) {
    const { code } = error as NodeJS.ErrnoException;
    throw new CliError(EXIT.failed, `${path} can't be written (${code})`);
  }
}
