import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import type { AddressInfo } from 'node:net';
import { isDeepStrictEqual } from 'node:util';

import { Webhook } from 'standardwebhooks';

import type { Rows } from './demoShop.ts';

/** A change as a webhook told it. */
export interface Told {
  what: string;
  collection: string;
  id: string;
  /** When it came, monotonic ms. */
  at: number;
}

/** An endpoint that keeps tables like those of the source, from what webhooks tell it and nothing else. */
export interface Mirror extends AsyncDisposable {
  url: string;
  /** Webhooks signed with this secret are accepted from now on. */
  trust(secret: string): void;
  /** Resolves once so many webhooks have come; rejects when none has come for 45 s, or at the abort. */
  arrived(count: number): Promise<void>;
  /** How many rows are missing, too many or not equal. */
  differences(rows: Rows): number;
  counts: { delivered: number; verified: number; duplicates: number };
}

interface Body {
  event: { event: string; collection_id: string; upstream_id: string; data: object };
}

const STALL_MS = 45_000;

/** Opens it on loopback; `onTold` is called for each change. */
export async function openMirror({
  onTold,
  signal,
}: {
  onTold: (told: Told) => void;
  signal: AbortSignal;
}): Promise<Mirror> {
  const counts = { delivered: 0, verified: 0, duplicates: 0 };
  const rows: Rows = new Map();
  const seen = new Set<string>();
  let webhook: Webhook | null = null;
  const waiting = new Set<() => void>();

  const server = createServer((request, response) => {
    receive(request, response).catch(() => response.destroy()); // the sender was cut off
  });

  async function receive(request: IncomingMessage, response: ServerResponse): Promise<void> {
    const at = performance.now();
    const text = await readBody(request);
    counts.delivered += 1;
    let body: Body;
    try {
      if (webhook === null) throw new Error('there is no secret yet');
      body = webhook.verify(text, request.headers as Record<string, string>) as Body;
    } catch {
      response.writeHead(401).end();
      return;
    }
    response.writeHead(204).end();
    counts.verified += 1;
    keep(body, String(request.headers['webhook-id']), at);
    for (const wake of waiting) wake();
  }

  function keep({ event }: Body, webhookId: string, at: number): void {
    if (seen.has(webhookId)) counts.duplicates += 1;
    seen.add(webhookId);
    const { event: what, collection_id: collection, upstream_id: id, data } = event;
    if (what === 'deleted') rows.delete(`${collection} ${id}`);
    else rows.set(`${collection} ${id}`, withoutNulls(data));
    onTold({ what, collection, id, at });
  }

  async function arrived(count: number): Promise<void> {
    while (seen.size < count) {
      const next = Promise.withResolvers<void>();
      const what = `No webhook came for ${STALL_MS / 1_000} s; ${seen.size} of ${count} have arrived`;
      const late = setTimeout(() => next.reject(new Error(what)), STALL_MS);
      const stop = (): void => next.reject(new Error('The demo was interrupted'));
      signal.addEventListener('abort', stop);
      if (signal.aborted) stop();
      waiting.add(next.resolve);
      await next.promise.finally(() => {
        clearTimeout(late);
        signal.removeEventListener('abort', stop);
        waiting.delete(next.resolve);
      });
    }
  }

  const listening = Promise.withResolvers<void>();
  server.listen(0, '127.0.0.1', listening.resolve);
  await listening.promise;
  return {
    url: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    trust: (secret) => {
      webhook = new Webhook(secret);
    },
    arrived,
    differences: (wanted) => {
      const keys = new Set([...rows.keys(), ...wanted.keys()]);
      return [...keys].filter((key) => !isDeepStrictEqual(rows.get(key), wanted.get(key))).length;
    },
    counts,
    [Symbol.asyncDispose]: async () => {
      const closed = Promise.withResolvers<void>();
      server.close(() => closed.resolve());
      server.closeAllConnections();
      await closed.promise;
    },
  };
}

function withoutNulls(data: object): object {
  return Object.fromEntries(Object.entries(data).filter(([, value]) => value !== null));
}

async function readBody(request: IncomingMessage): Promise<string> {
  const chunks: Buffer[] = [];
  for await (const chunk of request as AsyncIterable<Buffer>) chunks.push(chunk);
  return Buffer.concat(chunks).toString('utf8');
}
