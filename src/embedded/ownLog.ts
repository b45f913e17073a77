import { join } from 'node:path';

import { followLog, logSize } from './logFile.ts';
import { wordsOfLog } from './logWords.ts';

/** How long the same sentence is not said again, ms; the file has each of them. */
const QUIET_MS = 10_000;

/** The file that the API and the worker log into; disposing of it says what was written up to now. */
export interface OwnLog extends Disposable {
  path: string;
  /** Says a line after everything that the log had before it. */
  say: (line: string) => void;
}

/**
 * Opens `millrace.log` of the data folder. What is a warning or an error in it, or no line of a log at all, is said
 * in plain words.
 */
export async function openOwnLog(dataDir: string, say: (line: string) => void): Promise<OwnLog> {
  const path = join(dataDir, 'millrace.log');
  await logSize(path);
  const saidAt = new Map<string, number>();
  const log = followLog(path, (line) => {
    const words = wordsOfLog(line);
    if (words === null) return;
    const now = performance.now();
    for (const [one, at] of saidAt) if (now - at > QUIET_MS) saidAt.delete(one);
    if (!saidAt.has(words)) say(words);
    saidAt.set(words, saidAt.get(words) ?? now);
  });
  return {
    path,
    say: (line) => {
      log.look();
      say(line);
    },
    [Symbol.dispose]: () => log[Symbol.dispose](),
  };
}
