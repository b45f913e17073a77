import { once } from 'node:events';
import { connect, createServer, type AddressInfo, type Socket } from 'node:net';

export interface Proxy extends AsyncDisposable {
  /** The database's URL, through the proxy. */
  url: string;
  /**
   * Once the client has sent `text`: the request still reaches the server, the connection breaks
   * when the server answers, and the answer is lost.
   */
  loseAnswerTo(text: string): void;
  /** The next `times` connections on which the client sends `text` get `answer` instead of the server's, and end. */
  answerInstead(text: string, answer: Buffer, times: number): void;
  /** Once clients have sent so many bytes: requests still reach the server, and no answer comes back. */
  silenceAfter(bytes: number): void;
  /** On connections that are open now no answer comes back any more, as when their server has gone without a word. */
  silenceOpen(): void;
  /** Whether answers are kept back since then. */
  readonly isSilent: boolean;
  /** How many answers were lost. */
  readonly lost: number;
  /** Refuses connections and breaks those that are open, or takes them again. */
  setAway(away: boolean): void;
}

/** A TCP proxy before a server, to break connections where it matters. */
export async function createProxy(target: string): Promise<Proxy> {
  const to = new URL(target);
  const sockets = new Set<Socket>();
  const silenced = new WeakSet<Socket>();
  let trap: string | null = null;
  let instead: { text: string; answer: Buffer; left: number } | null = null;
  let silentAfter = Infinity;
  let sent = 0;
  let lost = 0;
  let away = false;
  const server = createServer((client) => {
    const upstream = connect(Number(to.port), to.hostname);
    let sprung = false;
    for (const [socket, peer] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      sockets.add(socket);
      socket.on('error', () => socket.destroy()); // `close` follows
      socket.on('close', () => {
        sockets.delete(socket);
        peer.destroy();
      });
    }
    if (away) client.destroy();
    client.on('data', (data) => {
      if (instead !== null && instead.left > 0 && data.includes(instead.text)) {
        instead.left -= 1;
        client.end(instead.answer);
        return;
      }
      if (trap !== null && data.includes(trap)) {
        trap = null;
        sprung = true;
      }
      sent += data.length;
      upstream.write(data);
    });
    upstream.on('data', (data) => {
      if (sent > silentAfter || silenced.has(client)) return false;
      if (!sprung) return client.write(data);
      lost++;
      return client.destroy();
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = new URL(target);
  url.hostname = '127.0.0.1';
  url.port = String((server.address() as AddressInfo).port);
  return {
    url: url.href,
    loseAnswerTo: (text) => (trap = text),
    answerInstead: (text, answer, times) => {
      instead = { text, answer, left: times };
    },
    silenceAfter: (bytes) => {
      silentAfter = bytes;
    },
    silenceOpen: () => {
      for (const socket of sockets) silenced.add(socket);
    },
    get isSilent() {
      return sent > silentAfter;
    },
    get lost() {
      return lost;
    },
    setAway: (value) => {
      away = value;
      if (away) for (const socket of sockets) socket.destroy();
    },
    [Symbol.asyncDispose]: async () => {
      for (const socket of sockets) socket.destroy();
      server.close();
      await once(server, 'close');
    },
  };
}
