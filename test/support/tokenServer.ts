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
  const tokens: TokenServer = {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}/token`,
    asked: [],
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

export function grant(response: ServerResponse, token: string, expiresIn?: number): void {
  response.writeHead(200, { 'content-type': 'application/json' });
  response.end(
    JSON.stringify({ access_token: token, token_type: 'Bearer', expires_in: expiresIn }),
  );
}
