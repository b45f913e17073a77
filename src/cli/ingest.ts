import { keepHeapSmall } from '../process/heap.ts';
import { followFullPasses } from '../sources/messages/fullPass.ts';
import { readLines } from '../sources/messages/lines.ts';
import type { Message, StateMessage } from '../sources/messages/message.ts';
import { LineError, pump, type Change } from '../sources/messages/pump.ts';
import type { Context } from './context.ts';
import { CliError, EXIT, usage } from './exit.ts';
import { beginIngest } from './ingestBegin.ts';
import type { IngestFlags } from './ingestFlags.ts';
import { createIngestPasses } from './ingestPasses.ts';
import { createIngestStore } from './ingestStore.ts';
import { verbatim, type Output } from './output.ts';

/** The size of one request, and how long a message waits for others. */
const LIMITS = {
  records: 2_000,
  size: 2 * 1024 * 1024,
  stateSize: 4 * 1024 * 1024,
  lingerMs: 1_000,
};

/**
 * `millrace ingest`: appends what a connector prints on stdin, in bounded memory, and prints each STATE on stdout
 * only after everything before it is on the server's disk. Streams that came whole have what did not come deleted in
 * the end, and only if nothing failed. Returns exit code 0 when everything is done, and 1 when the connector itself
 * said that it failed. Rejects for a line that can't be used, an API that stays away, and an interruption, after what
 * is known to be on disk is told.
 */
export async function runIngest(context: Context, flags: IngestFlags): Promise<number> {
  keepHeapSmall(20);
  const { out, signal } = context;
  if (process.stdin.isTTY) {
    throw usage(
      'stdin is a terminal; send the output of a connector to it: tap … | millrace ingest …',
    );
  }
  const { read, collectionOf, stateFile } = await beginIngest(flags);
  const followed = followFullPasses({ isAll: flags.fullPass === true, startedAt: Date.now() });
  const passes = createIngestPasses({
    context,
    sync: flags.sync,
    collectionOf,
    followed,
    isConfirmed: flags.confirmDeletes === true,
  });
  const { store, counts } = createIngestStore({
    context,
    sync: flags.sync,
    collectionOf,
    passes,
  });
  const told = createTeller(out);

  async function emit(states: readonly StateMessage[]): Promise<void> {
    for (const { text, value } of states) out.line(flags.stateValues === true ? value : text);
    told.states(states.length);
    await stateFile?.keep(states);
  }

  try {
    await pump({
      lines: readLines(process.stdin),
      read: (line) => {
        const message = read(line);
        followed.follow(message);
        return message;
      },
      store: async (changes) => {
        await store(changes);
        told.stored(changes);
      },
      emit,
      hear: told.hear,
      limits: LIMITS,
      signal,
    });
    signal.throwIfAborted(); // the connector may have got the same Ctrl-C, which ended it
    if (!told.hasFailed()) await passes.complete();
  } catch (error) {
    told.end(counts());
    if (!(error instanceof LineError)) throw error;
    throw new CliError(EXIT.failed, `Line ${error.line}: ${verbatim(error.message)}`, error.hint);
  } finally {
    process.stdin.destroy(); // an open one would keep the process from ending
  }
  told.end(counts());
  return told.hasFailed() ? EXIT.failed : EXIT.ok;
}

/** Tells people on stderr what happens, each kind of thing once. */
function createTeller(out: Output): {
  hear: (message: Message) => void;
  stored: (changes: readonly Change[]) => void;
  states: (count: number) => void;
  end: (counts: Record<string, number>) => void;
  hasFailed: () => boolean;
} {
  const said = new Set<string>();
  const streams = new Set<string>();
  let records = 0;
  let nulled = 0;
  let printed = 0;
  let failures = 0;

  function once(text: string): void {
    if (said.has(text)) return;
    said.add(text);
    out.note(text);
  }

  return {
    hear: (message) => {
      if (message.kind === 'log') out.note(verbatim(message.text));
      else if (message.kind === 'failure') {
        failures++;
        out.note(`The source failed: ${verbatim(message.text)}`);
      } else if (message.kind === 'ignored') {
        const { type, why } = message;
        once(
          `Ignored: ${verbatim(type)}${why === null ? ' messages have no effect here' : `: ${why}`}`,
        );
      }
    },
    stored: (changes) => {
      for (const { line, message } of changes) {
        streams.add(message.stream);
        if (message.kind !== 'record') continue;
        records++;
        if (message.nulled > 0 && nulled === 0) {
          out.note(
            `Line ${line}, stream ${verbatim(message.stream)}: NaN or Infinity became null, as JSON has no such number`,
          );
        }
        nulled += message.nulled;
      }
      out.progress(`${records.toLocaleString('en')} records`);
    },
    states: (count) => {
      printed += count;
    },
    end: (counts) => {
      out.endProgress();
      const parts = Object.entries(counts).map(([name, count]) => `${count} ${name}`);
      const all = `${counted(records, 'record')} of ${counted(streams.size, 'stream')}`;
      out.note(`Stored ${all}: ${parts.join(', ')}; printed ${counted(printed, 'STATE')}`);
      if (nulled > 0)
        out.note(`Stored as null: ${counted(nulled, 'value')} that JSON does not have`);
    },
    hasFailed: () => failures > 0,
  };
}

function counted(count: number, what: string): string {
  return `${count} ${what}${count === 1 ? '' : 's'}`;
}
