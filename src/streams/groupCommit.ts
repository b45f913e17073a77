/** How requests are committed, and how many may wait. */
export interface GroupCommitOptions<Request, Answer> {
  /** Commits the requests together, in order, and returns one settled answer for each. Never rejects. */
  commit(requests: Request[]): Promise<PromiseSettledResult<Answer>[]>;
  weigh(request: Request): { rows: number; bytes: number };
  /** Limits of one group; a larger request forms a group of its own. */
  maxRows: number;
  maxBytes: number;
  /** The bytes of all requests that may wait. */
  maxQueuedBytes: number;
  /** How long a request may wait for its group, ms. */
  maxWaitMs: number;
  /** The error for a request that would exceed one of these two limits, or that comes after `close`. */
  refusal(): Error;
}

/** Commits requests in groups, one group at a time. */
export interface GroupCommit<Request, Answer> {
  /** Resolves when the request's group has been committed. Requests are committed in the order of the calls. */
  add: (request: Request) => Promise<Answer>;
  /** Refuses new requests, and waits for those that have been accepted. */
  close(): Promise<void>;
}

interface Waiting<Request, Answer> {
  request: Request;
  rows: number;
  bytes: number;
  until: number;
  settle(result: PromiseSettledResult<Answer>): void;
}

/** Creates a group commit: requests that arrive while a group commits form the next group. */
export function createGroupCommit<Request, Answer>(
  options: GroupCommitOptions<Request, Answer>,
): GroupCommit<Request, Answer> {
  const queue: Waiting<Request, Answer>[] = [];
  let queuedBytes = 0;
  let running: Promise<void> | null = null;
  let closed = false;

  function add(request: Request): Promise<Answer> {
    const { rows, bytes } = options.weigh(request);
    if (closed || (queue.length > 0 && queuedBytes + bytes > options.maxQueuedBytes)) {
      return Promise.reject(options.refusal());
    }
    const { promise, resolve, reject } = Promise.withResolvers<Answer>();
    const settle = (result: PromiseSettledResult<Answer>): void =>
      result.status === 'fulfilled' ? resolve(result.value) : reject(result.reason);
    queue.push({ request, rows, bytes, until: performance.now() + options.maxWaitMs, settle });
    queuedBytes += bytes;
    running ??= run();
    return promise;
  }

  async function run(): Promise<void> {
    while (queue.length > 0) {
      const group = nextGroup();
      if (group.length === 0) continue;
      const results = await options.commit(group.map(({ request }) => request));
      for (const [index, waiting] of group.entries()) waiting.settle(results[index]!);
    }
    running = null;
  }

  /** Takes as many requests as fit into a group, refusing those that have waited too long. */
  function nextGroup(): Waiting<Request, Answer>[] {
    const group: Waiting<Request, Answer>[] = [];
    const room = { rows: options.maxRows, bytes: options.maxBytes };
    const now = performance.now();
    let taken = 0;
    for (const waiting of queue) {
      const late = waiting.until < now;
      if (!late && group.length > 0 && (waiting.rows > room.rows || waiting.bytes > room.bytes))
        break;
      taken++;
      queuedBytes -= waiting.bytes;
      if (late) {
        waiting.settle({ status: 'rejected', reason: options.refusal() });
        continue;
      }
      group.push(waiting);
      room.rows -= waiting.rows;
      room.bytes -= waiting.bytes;
    }
    queue.splice(0, taken);
    return group;
  }

  async function close(): Promise<void> {
    closed = true;
    await running;
  }

  return { add, close };
}
