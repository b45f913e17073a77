import { once } from 'node:events';
import { createServer, type AddressInfo, type Server, type Socket } from 'node:net';
import { createServer as createTlsServer, type TlsOptions } from 'node:tls';

/** A request as it came. */
export interface RawRequest {
  /** The head, as bytes of Latin-1, with its first line. */
  head: string;
  body: string;
  /** Which connection it came on, counted from 1. */
  connection: number;
  /** Counted from 1, over all connections. */
  nth: number;
}

/** An endpoint that answers with bytes. */
export interface RawServer extends AsyncDisposable {
  port: number;
  requests: RawRequest[];
  /** How many connections were opened. */
  connections: number;
}

export interface RawOptions {
  /** Called for each request: when its head is here if `early` says so, else when all of it is. */
  answer: (socket: Socket, request: RawRequest) => void;
  early?: (nth: number) => boolean;
  connected?: (socket: Socket, connection: number) => void;
  tls?: TlsOptions | null;
  host?: string;
  port?: number;
}

/** Listens on loopback and reads requests with a `content-length`, one after another. */
export async function openRaw(options: RawOptions): Promise<RawServer> {
  const { tls = null, host = '127.0.0.1', port = 0 } = options;
  const sockets = new Set<Socket>();
  const raw = { port: 0, requests: [] as RawRequest[], connections: 0 };
  const server: Server =
    tls === null ? createServer({ noDelay: true }, take) : createTlsServer(tls, take);
  server.on('tlsClientError', () => undefined); // it is the client's to say why
  server.on('connection', (socket: Socket) => {
    sockets.add(socket);
    socket.on('error', () => undefined);
    socket.once('close', () => sockets.delete(socket));
  });

  function take(socket: Socket): void {
    const connection = (raw.connections += 1);
    socket.on('error', () => undefined); // cut off, as it should be
    options.connected?.(socket, connection);
    read(socket, connection);
  }

  function read(socket: Socket, connection: number): void {
    let parts: Buffer[] = [];
    let bytes = 0;
    /** Of the request that is being read; null before the end of its head. */
    let head: { text: string; bytes: number; whole: number } | null = null;
    let answered = false;

    function answer(): void {
      answered = true;
      const body = Buffer.concat(parts).subarray(head!.bytes, head!.whole).toString();
      const request = { head: head!.text, body, connection, nth: raw.requests.length + 1 };
      raw.requests.push(request);
      options.answer(socket, request);
    }

    socket.on('data', (data: Buffer) => {
      parts.push(data);
      bytes += data.length;
      for (;;) {
        head ??= headOf(Buffer.concat(parts));
        if (head === null) return;
        const isWhole = bytes >= head.whole;
        if (!answered && (isWhole || options.early?.(raw.requests.length + 1) === true)) answer();
        if (!isWhole) return;
        parts = [Buffer.concat(parts).subarray(head.whole)];
        bytes -= head.whole;
        head = null;
        answered = false;
      }
    });
  }

  server.listen(port, host);
  await once(server, 'listening');
  raw.port = (server.address() as AddressInfo).port;
  return Object.assign(raw, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  });
}

function headOf(data: Buffer): { text: string; bytes: number; whole: number } | null {
  const end = data.indexOf('\r\n\r\n');
  if (end === -1) return null;
  const text = data.toString('latin1', 0, end);
  const length = Number(/^content-length: (\d+)/imu.exec(text)?.[1] ?? 0);
  return { text, bytes: end + 4, whole: end + 4 + length };
}

/** Turns of the event loop in which the other side, in this process, reads what was written. */
export async function turns(count = 8): Promise<void> {
  for (let left = count; left > 0; left -= 1) {
    await new Promise((resolve) => {
      setImmediate(resolve);
    });
  }
}

/** Writes each byte by itself. */
export async function byteByByte(socket: Socket, text: string): Promise<void> {
  for (const byte of Buffer.from(text)) {
    socket.write(Buffer.of(byte));
    await turns(2);
  }
}

/** Writes it, lets the other side read it, and breaks the connection with a RST. */
export async function thenReset(socket: Socket, text: string): Promise<void> {
  if (text !== '') socket.write(text);
  await turns();
  socket.resetAndDestroy();
}
