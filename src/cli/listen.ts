import type { Query } from '../api/client.ts';
import type { Context } from './context.ts';
import { EXIT, usage } from './exit.ts';
import { followStream, type Entry } from './follow.ts';
import { createForwarder, type Forwarded } from './forward.ts';
import { isSecret, keepListenSecret } from './listenSecret.ts';
import { escaped } from './output.ts';
import { printable } from './table.ts';
import { placeOf } from './values.ts';

/** The flags of `millrace listen`. */
export interface ListenFlags extends StreamFlags {
  forwardTo: string;
  secret?: string;
  concurrency?: number;
}

/** The flags that select entries of a stream. */
export interface StreamFlags {
  stream?: string;
  sync?: string[];
  collection?: string[];
  event?: string[];
  since?: string;
}

/**
 * `millrace listen`: forwards each entry to a local endpoint, signed, once, and in order per record. A
 * lost connection to the API neither skips nor repeats an entry. An entry that the endpoint refuses is
 * reported and not tried again.
 */
export async function runListen(
  { client, out, signal, env }: Context,
  flags: ListenFlags,
  version: string,
): Promise<number> {
  if (!/^https?:$/u.test(URL.parse(flags.forwardTo)?.protocol ?? '')) {
    throw usage(
      `--forward-to takes an http or https URL such as http://localhost:3000/hook, not ${flags.forwardTo}`,
    );
  }
  const secret = checked(flags.secret) ?? (await keepListenSecret(env));
  const forwarder = createForwarder({
    url: flags.forwardTo,
    secret,
    userAgent: `Millrace/${version}`,
    concurrency: flags.concurrency ?? 1,
    onSend: (entry) => {
      if (!out.isJson) out.line(sentLine(entry));
    },
    onDone: (entry, done) => {
      if (out.isJson) out.jsonLine(toJson(entry, done));
      else out.line(doneLine(flags.forwardTo, done, out.style));
    },
  });
  const cursor = await followStream({
    client,
    signal,
    query: queryOf(flags),
    onEntry: (entry) => forwarder.forward(entry),
    settled: () => forwarder.settled(),
    onState: ({ connected, why }) => {
      if (!connected) out.note(`Connection lost, reconnecting: ${why}`);
      else if (why !== '') out.note(`Reconnected`);
      else out.note(`Ready. Signing secret: ${secret} (Ctrl-C to quit)`);
    },
  });
  await forwarder.close();
  if (cursor !== null) out.note(`To continue from here: --since ${cursor}`);
  return EXIT.interrupted;
}

/** `millrace tail`: prints entries as they come. */
export async function runTail(
  { client, out, signal }: Context,
  flags: StreamFlags,
): Promise<number> {
  await followStream({
    client,
    signal,
    query: queryOf(flags),
    onEntry: async (entry) => out.line(out.isJson ? escaped(bare(entry.body)) : tailLine(entry)),
    onState: ({ connected, why }) => {
      if (!connected) out.note(`Connection lost, reconnecting: ${why}`);
      else if (why !== '') out.note('Reconnected');
    },
  });
  return EXIT.interrupted;
}

/** The query of `GET /v1/listen` for the flags. */
export function queryOf(flags: StreamFlags): Query {
  const { since } = flags;
  if (since !== undefined) placeOf('--since', since); // refuses what is none
  const isPlace = since === undefined || /^(?:beginning|end|\d{1,6}[smhd]|\d{4}-.*)$/u.test(since);
  return {
    stream: flags.stream ?? 'events',
    sync_id: flags.sync,
    collection_id: flags.collection,
    event: flags.event,
    ...(isPlace ? { since } : { after_cursor: since }),
  };
}

function checked(secret: string | undefined): string | undefined {
  if (secret === undefined || isSecret(secret)) return secret;
  throw usage('--secret must be whsec_ followed by base64');
}

function sentLine({ what, collectionId, upstreamId, messageId }: Entry): string {
  return `--> ${what} ${printable(collectionId)} ${printable(upstreamId)} [${printable(messageId)}]`;
}

function doneLine(
  url: string,
  { status, error, durationMs }: Forwarded,
  style: (how: 'green' | 'red', text: string) => string,
): string {
  if (status === null) return `<-- [${style('red', 'ERR')}] ${error} POST ${url} ${durationMs}ms`;
  const colour = status >= 200 && status < 300 ? 'green' : 'red';
  return `<-- [${style(colour, String(status))}] POST ${url} ${durationMs}ms`;
}

function toJson(entry: Entry, { status, error, durationMs }: Forwarded): object {
  return {
    message_id: entry.messageId,
    position: entry.position,
    event: entry.what,
    sync_id: entry.syncId,
    collection_id: entry.collectionId,
    upstream_id: entry.upstreamId,
    status,
    error,
    duration_ms: durationMs,
    cursor: entry.cursor,
  };
}

function tailLine({ position, what, syncId, collectionId, upstreamId, messageId }: Entry): string {
  return `${position}  ${what.padEnd(7)}  ${printable(collectionId)} ${printable(upstreamId)}  ${printable(syncId)}  [${messageId}]`;
}

/** Strips the wrapper of `{"event":{…}}`, which leaves what GET /v1/events answers. */
function bare(body: string): string {
  return body.slice(body.indexOf(':') + 1, -1);
}
