export interface GroupCommitOptions<Request, Answer> {
  /** Commits the requests together, in order; one settled answer each. Never rejects. */
  commit(requests: Request[]): Promise<PromiseSettledResult<Answer>[]>;
  weigh(request: Request): { rows: number; bytes: number };
  /** Of one group; a larger request goes alone. */
  maxRows: number;
  maxBytes: number;
  /** Of what may wait, in all. */
  maxQueuedBytes: number;
  /** How long a request may wait for its group, ms. */
  maxWaitMs: number;
  /** What a request gets that would exceed one of the two. */
  refusal(): Error;
}

export interface GroupCommit<Request, Answer> {
  /** Waits for the group that carries the request; order of calls is order of commits. */
  add: (request: Request) => Promise<Answer>;
  /** Refuses what comes, waits for what is there. */
  close(): Promise<void>;
}

interface Waiting<Request, Answer> {
  request: Request;
  rows: number;
  bytes: number;
  until: number;
  settle(result: PromiseSettledResult<Answer>): void;
}

/** Group commit: requests that wait while the last group commits are committed together as the next. */
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

  /** As many as fit, at least one; those that waited too long are refused on the way. */
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
