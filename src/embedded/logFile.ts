import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { stat, truncate } from 'node:fs/promises';
import { StringDecoder } from 'node:string_decoder';

const LOG_LIMIT = 10 * 1024 * 1024;
const LOOK_MS = 200;
const CHUNK = 65_536;

/** The size of a log file; one that has grown beyond 10 MB is emptied. */
export async function logSize(path: string): Promise<number> {
  const size = await stat(path).then(
    (file) => file.size,
    () => 0, // not written yet
  );
  if (size < LOG_LIMIT) return size;
  await truncate(path);
  return 0;
}

/** A log file that other processes append to; disposing of it ends the reading. */
export interface FollowedLog extends Disposable {
  /** Reads what has been written by now, without waiting for the next look. */
  look(): void;
}

/** Calls `onLine` with each line that is appended to the file from now on, within 200 ms; creates the file if needed. */
export function followLog(path: string, onLine: (line: string) => void): FollowedLog {
  const file = openSync(path, 'a+', 0o600);
  const chunk = Buffer.alloc(CHUNK);
  const decoder = new StringDecoder('utf8');
  let at = fstatSync(file).size;
  let rest = '';
  let isOpen = true;

  function look(): void {
    if (!isOpen) return;
    at = Math.min(at, fstatSync(file).size); // somebody may have emptied it
    for (;;) {
      const read = readSync(file, chunk, 0, CHUNK, at);
      if (read === 0) return;
      at += read;
      const lines = (rest + decoder.write(chunk.subarray(0, read))).split('\n');
      rest = lines.pop() ?? '';
      for (const line of lines) onLine(line);
    }
  }

  const timer = setInterval(look, LOOK_MS);
  timer.unref();
  return {
    look,
    [Symbol.dispose]: () => {
      look();
      isOpen = false;
      clearInterval(timer);
      closeSync(file);
      if (rest !== '') onLine(rest);
    },
  };
}
