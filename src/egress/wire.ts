import type { Socket } from 'node:net';

/** The part of the answer that has come to the request which a connection carries. */
export interface Wire {
  /** When the connection was opened, monotonic ms. */
  readonly openedAt: number;
  /** How many requests were written to it, the open one included. */
  readonly requests: number;
  /** No byte has come since the request was written. */
  readonly silent: boolean;
  /** The status of the answer once its whole status line is here, and 0 before. */
  readonly status: number;
  /** When the status line was complete, monotonic ms. */
  readonly statusAt: number;
  /** When all of the open request had left this process, monotonic ms; 0 if it needed no waiting. */
  readonly flushedAt: number;
  /** The first error of the connection; undici forgets a TLS alert that the end of the stream follows. */
  readonly error: Error | null;
  /** A request is about to be written, after all of the last answer was read. */
  begin(): void;
}

/** Bytes that are no answer in HTTP/1.1; `code` says what they are. */
export class Unreadable extends Error {
  override name = 'Unreadable';
  readonly code: 'TLS_BYTES' | 'HTTP2_BYTES' | 'SWITCHED' | 'INTERIM_FLOOD';

  constructor(code: Unreadable['code']) {
    super(`the answer is not readable: ${code}`);
    this.code = code;
  }
}

/** Interim answers before one final answer are dropped up to this many bytes. */
const MOST_INTERIM_BYTES = 1_048_576;
/** A first line that is longer is left to the parser. */
const MOST_LINE_BYTES = 8_192;
const NONE = Buffer.alloc(0);
const LF = 10;
const CR = 13;

/**
 * Watches what a connection receives, below the HTTP client. It removes interim answers (1xx, RFC 9110 §15.2)
 * from the stream in whatever pieces they come, because undici breaks the connection over a 100 that it did not
 * ask for. It also notes the status line, and reports an answer that is not HTTP/1.1 at all. It relies on one
 * request at a time per connection: an answer begins with the first byte after a request.
 */
export function watchSocket(socket: Socket): Wire {
  const openedAt = performance.now();
  let atStart = false;
  let held: Buffer = NONE;
  let dropped = 0;
  let requests = 0;
  let silent = true;
  let status = 0;
  let statusAt = 0;
  let flushedAt = 0;
  let error: Error | null = null;
  const push = socket.push.bind(socket);
  socket.prependListener('error', (first) => {
    error ??= first;
  });
  socket.on('drain', () => {
    flushedAt = performance.now();
  });

  socket.push = (chunk: Buffer | null): boolean => {
    if (chunk === null) {
      if (held.length > 0) push(pass(held));
      return push(null);
    }
    silent = false;
    if (!atStart) return push(chunk);
    const rest = readStart(held.length === 0 ? chunk : Buffer.concat([held, chunk]));
    return rest === null ? true : push(rest);
  };

  /** The bytes to pass on; null while they have to be held. */
  function readStart(data: Buffer): Buffer | null {
    let from = 0;
    for (;;) {
      while (data[from] === CR || data[from] === LF) from += 1;
      const line = data.indexOf(LF, from);
      if (line === -1) return holdOrPass(data.subarray(from));
      const found = statusOf(data, from, line);
      if (found < 100 || found > 199) {
        status = found;
        statusAt = performance.now();
        return pass(from === 0 ? data : data.subarray(from)); // nearly always the whole chunk
      }
      if (found === 101) return refuse('SWITCHED');
      const end = endOfHead(data, line);
      if (end === -1) return hold(data.subarray(from));
      dropped += end - from;
      if (dropped > MOST_INTERIM_BYTES) return refuse('INTERIM_FLOOD');
      from = end;
    }
  }

  function holdOrPass(data: Buffer): Buffer | null {
    const foreign = foreignTo(data);
    if (foreign === 'no') return pass(data);
    if (foreign !== 'perhaps') return refuse(foreign);
    return data.length > MOST_LINE_BYTES ? pass(data) : hold(data);
  }

  function hold(data: Buffer): null {
    if (dropped + data.length > MOST_INTERIM_BYTES) return refuse('INTERIM_FLOOD');
    held = data;
    return null;
  }

  function pass(data: Buffer): Buffer {
    atStart = false;
    held = NONE;
    return data;
  }

  function refuse(code: Unreadable['code']): null {
    pass(NONE);
    socket.destroy(new Unreadable(code));
    return null;
  }

  return {
    openedAt,
    get error() {
      return error;
    },
    get requests() {
      return requests;
    },
    get silent() {
      return silent;
    },
    get status() {
      return status;
    },
    get statusAt() {
      return statusAt;
    },
    get flushedAt() {
      return flushedAt;
    },
    begin() {
      atStart = true;
      held = NONE;
      dropped = 0;
      requests += 1;
      silent = true;
      status = 0;
      flushedAt = 0;
    },
  };
}

const VERSION = Buffer.from('HTTP/1.');
const STATUS_AT = 'HTTP/1.1 '.length;

/** The status of a line `HTTP/1.x ddd …`; 0 for any other line, which is left to the parser. */
function statusOf(data: Buffer, from: number, line: number): number {
  if (line - from < STATUS_AT + 3) return 0;
  for (let at = 0; at < VERSION.length; at += 1) {
    if (data[from + at] !== VERSION[at]) return 0; // cheaper than a call to compare
  }
  let status = 0;
  for (let at = from + STATUS_AT; at < from + STATUS_AT + 3; at += 1) {
    const digit = data[at]! - 0x30;
    if (digit < 0 || digit > 9) return 0;
    status = status * 10 + digit;
  }
  const after = data[from + STATUS_AT + 3];
  return after === 0x20 || after === CR || after === LF ? status : 0;
}

/** Where the empty line that ends a head is over; -1 while it has not come. */
function endOfHead(data: Buffer, firstLine: number): number {
  for (let line = firstLine; line !== -1; line = data.indexOf(LF, line + 1)) {
    const next = data[line + 1] === CR ? line + 2 : line + 1;
    if (data[next] === LF) return next + 1;
  }
  return -1;
}

const FRAME_HEADER_BYTES = 9;
const SETTINGS = 4;
const GOAWAY = 7;

/** Whether bytes without a line end begin another protocol; `no` when they are left to the parser. */
function foreignTo(data: Buffer): 'no' | 'perhaps' | 'TLS_BYTES' | 'HTTP2_BYTES' {
  const some = Math.min(data.length, VERSION.length);
  if (VERSION.compare(data, 0, some, 0, some) === 0) return 'perhaps';
  if (data[0] === 0x15 || data[0] === 0x16) {
    if (data.length === 1) return 'perhaps';
    return data[1] === 3 ? 'TLS_BYTES' : 'no'; // a record of TLS: an alert or a handshake
  }
  if (data[0] !== 0) return 'no';
  if (data.length < FRAME_HEADER_BYTES) return 'perhaps';
  const isFrame = data[3] === SETTINGS || data[3] === GOAWAY;
  return isFrame && data.readUInt32BE(5) === 0 ? 'HTTP2_BYTES' : 'no'; // RFC 9113 §4.1, stream 0
}
