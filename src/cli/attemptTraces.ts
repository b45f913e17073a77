import { ClientError, type Client } from '../api/client.ts';
import { bodyAlone, bodyOfBatch } from '../rules/envelope.ts';
import type { Attempt } from '../schema/attempt.ts';
import type { AttemptTrace } from '../schema/attemptTrace.ts';
import { cursorOf } from '../streams/cursor.ts';
import type { Context } from './context.ts';
import { verbatim } from './output.ts';
import { printable } from './table.ts';
import { waterfall } from './waterfall.ts';

/** How much of the body of an answer is kept, in bytes. */
const KEPT_BYTES = 2_048;

/**
 * Prints an attempt: how long its steps took, what was sent after `>`, and what came back after `<`, as the API
 * returns them; or why none of that is kept. An empty line ends it.
 */
export async function showTrace(
  { client, out }: Pick<Context, 'client' | 'out'>,
  one: Attempt,
): Promise<void> {
  out.line(out.style('bold', titleOf(one)));
  for (const line of [entryOf(one), ...producerOf(one)]) out.line(line);
  const { trace } = one;
  if (trace === null || trace === undefined) out.line(whyNone(one));
  else {
    const isMade = trace.request_headers.length > 0;
    const body = isMade ? await bodyOf(client, one, trace) : null;
    for (const line of waterfall(trace.timings, out)) out.line(line);
    for (const line of [...sentLines(one, trace, body), ...answerLines(trace, one)]) out.line(line);
  }
  out.line('');
}

function titleOf({ started_at, outcome, status, error_code, duration_ms }: Attempt): string {
  const why = [error_code, status === null ? null : `HTTP ${status}`];
  const parts = [outcome, ...why.filter((part) => part !== null), `${duration_ms} ms`];
  return `${started_at}  ${parts.join(', ')}`;
}

function entryOf(one: Attempt): string {
  const names = [one.event, one.collection_id, one.upstream_id].filter((name) => name !== null);
  const next = one.next_attempt_at === null ? '' : `, the next one at ${one.next_attempt_at}`;
  const entry = [...names, `[${one.message_id}]`, ...othersIn(one)].map(printable).join(' ');
  return `attempt ${one.attempt} at position ${one.position}${next}: ${entry}`;
}

/** With how many others the entry was sent. */
function othersIn({ batch_size: size }: Attempt): string[] {
  return size === 1 ? [] : [`in a batch of ${size}`];
}

/** The trace of the producer, which the attempt belongs to. */
function producerOf({ trace_id, producer_span_id }: Attempt): string[] {
  return trace_id === null ? [] : [`in trace ${trace_id}, appended by span ${producer_span_id}`];
}

/** Why an attempt has no trace, as a sentence. */
function whyNone(one: Attempt): string {
  const { outcome, attempt, batch_size: size, message_id, error_code, consumer_id } = one;
  if (error_code === 'BODY_FAILED') {
    return `Nothing was sent, as no body could be made of it. Why, while it is parked: millrace parked ${consumer_id}`;
  }
  if (size > 1)
    return `It has no trace: that of ${message_id} is with the first of its entries, if there is one.`;
  return outcome === 'delivered' && attempt === 1
    ? 'It has no trace: of first attempts that succeed only a sample has one, at most one a minute for each consumer.'
    : 'It has no trace: it was made before Millrace kept any.';
}

/** The request; without its body if the stream no longer has what was sent, or has it as several entries. */
function sentLines(one: Attempt, trace: AttemptTrace, body: string | null): string[] {
  if (trace.request_headers.length === 0) return ['No request was made.'];
  const head = [`POST ${trace.url}`, ...headersOf(trace.request_headers), ''];
  const lines = [...head, ...(body === null ? [] : [body])].flatMap(linesOf);
  const gone =
    one.batch_size > 1
      ? `The body of ${trace.request_bytes} bytes had ${one.batch_size} entries.`
      : `The body of ${trace.request_bytes} bytes is no longer in the stream.`;
  return [
    ...(trace.timings.request === null ? ['Nothing of this was sent:'] : []),
    ...lines.map((line) => after('>', line)),
    ...(body === null ? [gone] : []),
  ];
}

/** The answer, with the beginning of its body. */
function answerLines(trace: AttemptTrace, { status, response_head: head }: Attempt): string[] {
  if (status === null) return ['No answer came.'];
  const start = [`HTTP ${status}`, ...headersOf(trace.response_headers)];
  const body = head === null || head === '' ? [] : ['', head];
  const { response_bytes: bytes } = trace;
  return [
    ...[...start, ...body].flatMap(linesOf).map((line) => after('<', line)),
    ...(bytes > KEPT_BYTES
      ? [`Of its body ${bytes} bytes were read, of which the first 2 KB are kept.`]
      : []),
  ];
}

function headersOf(headers: AttemptTrace['request_headers']): string[] {
  return headers.map(({ name, value }) => `${name}: ${value}`);
}

function after(sign: '>' | '<', line: string): string {
  return line === '' ? sign : `${sign} ${line}`;
}

function linesOf(text: string): string[] {
  return text.split(/\r?\n/u).map(verbatim);
}

/** The body that was sent, byte for byte, as the stream has it; null if the stream no longer has it. */
async function bodyOf(client: Client, one: Attempt, trace: AttemptTrace): Promise<string | null> {
  if (one.batch_size > 1) return null;
  const stream = one.event_id === null ? 'records' : 'events';
  const read = one.event_id === null ? recordOf(client, one) : eventOf(client, one.event_id);
  const entry = await read.catch((error: unknown) => {
    if (error instanceof ClientError && [404, 410].includes(error.status)) return null; // it is gone
    throw error;
  });
  if (entry === null) return null;
  const bodies = [bodyAlone(stream, entry), bodyOfBatch(stream, [entry])];
  return bodies.find((sent) => Buffer.byteLength(sent) === trace.request_bytes) ?? null;
}

async function eventOf(client: Client, id: string): Promise<string> {
  const response = await client.open('GET', `/v1/events/${encodeURIComponent(id)}`);
  return await response.text();
}

/** The version of a record that was sent, if it is still the newest one; an event that is gone has no names. */
async function recordOf(client: Client, one: Attempt): Promise<string | null> {
  const { sync_id, collection_id, position, message_id } = one;
  if (sync_id === null || collection_id === null) return null;
  const query = {
    sync_id,
    collection_id,
    after_cursor: cursorOf('records', position - 1),
    limit: 1,
  };
  const text = await (await client.open('GET', '/v1/records', { query })).text();
  const [, record = null] = /^\{"records":\[(.+)\],"cursor":"[^"]*"\}$/su.exec(text) ?? [];
  if (record === null) return null;
  const { version_id } = JSON.parse(record) as { version_id?: string };
  return version_id === message_id ? record : null;
}
