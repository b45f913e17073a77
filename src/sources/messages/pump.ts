import type { Line } from './lines.ts';
import type { Message, Reader, RecordMessage, StateMessage, TruncateMessage } from './message.ts';

/** A change that is to be stored, and the line that it came in. */
export interface Change {
  line: number;
  message: RecordMessage | TruncateMessage;
}

/** When a batch is stored: as soon as one of these is reached. */
export interface BatchLimits {
  records: number;
  /** Of the lines of records, in characters. */
  size: number;
  /** Of the lines of STATEs, in characters. */
  stateSize: number;
  /** How long a message waits for others, ms. */
  lingerMs: number;
}

/** Everything that a pump is connected to. */
export interface PumpOptions {
  lines: AsyncIterable<readonly Line[]>;
  read: Reader;
  /** Stores changes; resolves when they are on disk. One call at a time, in order. */
  store: (changes: readonly Change[]) => Promise<void>;
  /** Tells of STATEs whose records are on disk, in order. */
  emit: (states: readonly StateMessage[]) => Promise<void>;
  /** Gets everything that is neither a change nor a STATE, when it is read. */
  hear: (message: Message, line: number) => void;
  limits: BatchLimits;
  /** Ends the reading; what is being stored is awaited. */
  signal: AbortSignal;
}

/** A line that can't be used. */
export class LineError extends Error {
  override name = 'LineError';
  readonly line: number;
  readonly hint: string | null;

  constructor(line: number, detail: string, hint: string | null) {
    super(detail);
    this.line = line;
    this.hint = hint;
  }
}

/** May be thrown by `store` to say that some of the changes, from the first on, are on disk. */
export class PartlyStored extends Error {
  override name = 'PartlyStored';
  readonly stored: number;

  constructor(stored: number, cause: unknown) {
    super('Only a part of a batch is stored', { cause });
    this.stored = stored;
  }
}

interface Batch {
  changes: Change[];
  /** Each with the number of changes of the batch that come before it. */
  states: { state: StateMessage; after: number }[];
  size: number;
  stateSize: number;
  /** Runs from its first message on. */
  timer: NodeJS.Timeout | undefined;
}

/** What the reading waits for. */
type News = { lines: IteratorResult<readonly Line[]> } | { late: Batch } | { error: unknown };

/**
 * Stores the records of a connector in batches, in their order, and emits each STATE only after all that came
 * before it is on disk. One batch is stored while the next is filled, and nothing more is read meanwhile. Resolves
 * when everything is stored. A line that can't be used ends it with a `LineError`, and input that breaks off with
 * its error, after everything before is stored; a failure of `store` ends it with that error, and an abort with
 * its reason.
 */
export async function pump(options: PumpOptions): Promise<void> {
  const { lines, read, hear, limits, signal } = options;
  const news = createNews<News>();
  const iterator = lines[Symbol.asyncIterator]();
  let batch = emptyBatch();
  let storing: Promise<void> = Promise.resolve();

  async function hand(): Promise<void> {
    clearTimeout(batch.timer);
    await storing;
    const full = batch;
    batch = emptyBatch();
    storing = storeBatch(full, options);
    storing.catch((error: unknown) => news.post({ error }));
  }

  function ask(): void {
    iterator.next().then(
      (result) => news.post({ lines: result }),
      (error: unknown) => news.post({ error }),
    );
  }

  async function take(line: Line): Promise<void> {
    const message = messageOf(line, read);
    if (message.kind === 'record' || message.kind === 'truncate') {
      batch.changes.push({ line: line.number, message });
      batch.size += 'text' in line ? line.text.length : 0;
    } else if (message.kind === 'state') {
      batch.states.push({ state: message, after: batch.changes.length });
      batch.stateSize += message.text.length;
    } else {
      hear(message, line.number);
      return;
    }
    const begun = batch;
    batch.timer ??= setTimeout(() => news.post({ late: begun }), limits.lingerMs);
    if (isFull(batch, limits)) await hand();
  }

  const onAbort = (): void => news.post({ error: signal.reason });
  signal.addEventListener('abort', onAbort);
  try {
    signal.throwIfAborted();
    ask();
    for (;;) {
      const got = await news.next();
      if ('error' in got) throw got.error;
      if ('late' in got) {
        if (got.late === batch) await hand();
        continue;
      }
      if (got.lines.done === true) break;
      for (const line of got.lines.value) {
        signal.throwIfAborted();
        await take(line);
      }
      ask();
    }
  } catch (error) {
    if (signal.aborted) {
      await storing.catch(() => undefined); // the interruption is what is told
      throw signal.reason;
    }
    await hand(); // throws what happened to the batches before, if that is why it ends
    await storing;
    throw error;
  } finally {
    clearTimeout(batch.timer);
    signal.removeEventListener('abort', onAbort);
  }
  await hand();
  await storing;
}

async function storeBatch(batch: Batch, { store, emit }: PumpOptions): Promise<void> {
  const emitUpTo = async (stored: number): Promise<void> => {
    const states = batch.states.filter(({ after }) => after <= stored).map(({ state }) => state);
    if (states.length > 0) await emit(states);
  };
  try {
    if (batch.changes.length > 0) await store(batch.changes);
  } catch (error) {
    if (!(error instanceof PartlyStored)) throw error;
    await emitUpTo(error.stored);
    throw error.cause;
  }
  await emitUpTo(batch.changes.length);
}

/** Throws a `LineError` for a line that can't be used. */
function messageOf(line: Line, read: Reader): Message {
  if ('fault' in line) throw new LineError(line.number, `it ${line.fault}`, null);
  const message = read(line.text);
  if (message.kind !== 'problem') return message;
  const isCut = !line.isWhole && !line.text.trimEnd().endsWith('}');
  const cut = isCut ? ', and the input ended within it' : '';
  throw new LineError(line.number, `${message.detail}${cut}`, message.hint);
}

function emptyBatch(): Batch {
  return { changes: [], states: [], size: 0, stateSize: 0, timer: undefined };
}

function isFull({ changes, size, stateSize }: Batch, limits: BatchLimits): boolean {
  return changes.length >= limits.records || size >= limits.size || stateSize >= limits.stateSize;
}

/** News are taken one by one, in the order in which they came. */
function createNews<T>(): { post: (one: T) => void; next: () => Promise<T> } {
  const waiting: T[] = [];
  let taker: ((one: T) => void) | null = null;
  return {
    post: (one) => {
      if (taker === null) waiting.push(one);
      else taker(one);
      taker = null;
    },
    next: () =>
      new Promise((resolve) => {
        const one = waiting.shift();
        if (one === undefined) taker = resolve;
        else resolve(one);
      }),
  };
}
