import { once } from 'node:events';
import { createServer, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';

/** One request for a token. */
export interface Asked {
  authorization: string;
  form: URLSearchParams;
}

export interface TokenServer extends AsyncDisposable {
  url: string;
  asked: Asked[];
  /** The credentials of a target that takes its tokens. */
  credentials: { type: 'oauth2'; token_url: string; client_id: string; client_secret: string };
  /** What it answers from now on; by default `token-<n>` for an hour. */
  respond: (response: ServerResponse, n: number) => void;
}

/** An OAuth2 token endpoint on a free port. */
export async function openTokenServer(): Promise<TokenServer> {
  const server = createServer((request, response) => {
    let body = '';
    request.on('data', (chunk: Buffer) => (body += chunk.toString()));
    request.on('end', () => {
      const { authorization = '' } = request.headers;
      tokens.asked.push({ authorization, form: new URLSearchParams(body) });
      tokens.respond(response, tokens.asked.length);
    });
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const url = `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`;
  const tokens: TokenServer = {
    url,
    asked: [],
    credentials: { type: 'oauth2', token_url: url, client_id: 'a', client_secret: 'b' },
    respond: (response, n) => grant(response, `token-${n}`, 3_600),
    [Symbol.asyncDispose]: async () => {
      const closed = once(server, 'close');
      server.close();
      server.closeAllConnections();
      await closed;
    },
  };
  return tokens;
}

/** Has all who ask from now on wait; each of what is returned answers one of them, with a token or an error. */
export function holdTokens(tokens: TokenServer): ((isGranted: boolean) => void)[] {
  const waiting: ((isGranted: boolean) => void)[] = [];
  tokens.respond = (response) =>
    waiting.push((isGranted) => {
      if (isGranted) grant(response, 'late', 3_600);
      else response.writeHead(500).end();
    });
  return waiting;
}

export function grant(response: ServerResponse, token: string, expiresIn?: number): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: expiresIn }),
  );
}
