import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, type Socket } from 'node:net';

/** An address that takes no connection, and does not refuse one either. */
export interface Silent extends AsyncDisposable {
  /** From now on it takes connections and answers 200. */
  wake(): void;
}

/** It listens, with room for one connection that waits, and then does nothing until it is woken. */
const LISTENS = `
  const [host, port] = process.argv.slice(1);
  const answer = 'HTTP/1.1 200 OK\\r\\nconnection: close\\r\\ncontent-length: 0\\r\\n\\r\\n';
  require('node:net')
    .createServer((socket) => socket.on('error', () => {}).once('data', () => socket.end(answer)))
    .listen({ host, port: Number(port), backlog: 1 }, () => {
      require('node:fs').writeSync(1, 'listens');
      require('node:fs').readSync(0, Buffer.alloc(1));
    });
`;
/** Linux keeps one more than the backlog. */
const FILLING = 2;

/** Listens there without taking connections, and fills the queue, so that the kernel drops what comes next. */
export async function openSilent(host: string, port: number): Promise<Silent> {
  const child = spawn(process.execPath, ['-e', LISTENS, host, String(port)], {
    stdio: ['pipe', 'pipe', 'inherit'],
  });
  await once(child.stdout, 'data');
  const filling: Socket[] = [];
  for (let left = FILLING; left > 0; left -= 1) {
    const socket = connect(port, host);
    socket.on('error', () => undefined); // it dies with the child
    filling.push(socket);
    await once(socket, 'connect');
  }
  return {
    wake: () => void child.stdin.write('.'),
    [Symbol.asyncDispose]: async () => {
      for (const socket of filling) socket.destroy();
      const ended = once(child, 'exit');
      child.kill('SIGKILL');
      await ended;
    },
  };
}
