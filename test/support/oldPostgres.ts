import { once } from 'node:events';
import { createServer, type AddressInfo, type Socket } from 'node:net';

/** Something that says of itself, in the protocol of Postgres, that it is an old one. */
export interface OldPostgres extends AsyncDisposable {
  port: number;
  /** The statements that came, but for the question for its version. */
  asked: string[];
}

/** Lets everybody in, answers the first statement with its version, and every other one with an error. */
export async function openOldPostgres(version: number, text: string): Promise<OldPostgres> {
  const old = { port: 0, asked: [] as string[] };
  const sockets = new Set<Socket>();

  function serve(socket: Socket): void {
    sockets.add(socket);
    socket.on('error', () => undefined);
    let hasAnswered = false;
    let hasStarted = false;
    socket.on('data', (data: Buffer) => {
      if (!hasStarted && data.readUInt32BE(4) === 80_877_103) return void socket.write('N');
      if (!hasStarted) {
        hasStarted = true;
        return void socket.write(Buffer.concat([message('R', int32(0)), READY]));
      }
      if (data.toString('latin1', 0, 1) !== 'Q') return undefined; // it ends
      if (hasAnswered) {
        old.asked.push(data.toString('utf8', 5));
        const error = message('E', Buffer.from('SERROR\0VERROR\0C42883\0Mno such function\0\0'));
        return void socket.write(Buffer.concat([error, READY]));
      }
      hasAnswered = true;
      const columns = [column('version', 23), column('versionText', 25)];
      const row = [String(version), text].map((value) => [int32(value.length), Buffer.from(value)]);
      const answer = [
        message('T', int16(2), ...columns),
        message('D', int16(2), ...row.flat()),
        message('C', Buffer.from('SELECT 1\0')),
        READY,
      ];
      return void socket.write(Buffer.concat(answer));
    });
  }

  const server = createServer(serve).listen(0, '127.0.0.1');
  await once(server, 'listening');
  old.port = (server.address() as AddressInfo).port;
  return Object.assign(old, {
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      const closed = once(server, 'close');
      server.close();
      await closed;
    },
  });
}

function message(kind: string, ...parts: Buffer[]): Buffer {
  const content = Buffer.concat(parts);
  return Buffer.concat([Buffer.from(kind), int32(content.length + 4), content]);
}

const READY = message('Z', Buffer.from('I'));

function column(name: string, type: number): Buffer {
  const rest = [int32(0), int16(0), int32(type), int16(-1), int32(-1), int16(0)];
  return Buffer.concat([Buffer.from(`${name}\0`), ...rest]);
}

function int16(value: number): Buffer {
  const bytes = Buffer.alloc(2);
  bytes.writeInt16BE(value);
  return bytes;
}

function int32(value: number): Buffer {
  const bytes = Buffer.alloc(4);
  bytes.writeInt32BE(value);
  return bytes;
}
