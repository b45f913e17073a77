import type { Socket } from 'node:net';
import type { TlsOptions } from 'node:tls';

import { createEgress } from '../../src/egress/egress.ts';
import {
  blameOf,
  failed,
  type Blame,
  type ErrorCode,
  type Outcome,
  type Phase,
} from '../../src/rules/outcome.ts';
import { LOOPBACK } from './app.ts';
import { openPoster, type Poster } from './poster.ts';
import { openRaw, turns, type RawRequest } from './rawServer.ts';
import { openSilent } from './silent.ts';

/** What is at an address: the endpoint, nothing, no route to it, or what never takes a connection. */
export type Address = 'listens' | 'refuses' | 'no route' | 'silent';

/** What an endpoint does with one webhook, and what comes of it. */
export interface AnswerRow {
  /** What it does, as docs/receiving.md says it. */
  when: string;
  answer?: (socket: Socket, request: RawRequest) => unknown;
  /** It answers once it has the head of the request. */
  early?: boolean;
  connected?: (socket: Socket) => unknown;
  /** The connection has served a request before. */
  used?: boolean;
  /** It does the same on a new connection. */
  always?: boolean;
  /** The webhook is larger than what buffers hold. */
  large?: boolean;
  tls?: () => TlsOptions & { ca?: string };
  /** Of the URL; that of the server's protocol if it is not given. */
  scheme?: 'http' | 'https';
  timeoutMs?: number;
  /** What is at the addresses of the host, in their order, if it has several. */
  addresses?: Address[];
  /** How far it came; to the answer if it is not given. */
  phase?: Phase;
  /** How far it came depends on what comes first, and so does what is blamed. */
  eitherPhase?: boolean;
  status?: number;
  code?: ErrorCode;
  kept?: boolean;
  /** How often the request came, if not once. */
  came?: number;
  /** The beginning of what the attempt says; else that is `HTTP` and the status. */
  says?: string;
}

/** There is no route to the last one on any machine, so that nothing leaves this one. */
const AT: Record<Address, string> = {
  listens: '127.0.0.1',
  refuses: '127.0.0.2',
  silent: '127.0.0.3',
  'no route': '255.255.255.255',
};
const OK = 'HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n';
const PATIENT_MS = 20_000;
const LARGE = `{"data":"${'x'.repeat(8_000_000)}"}`;

/** What comes of a webhook to such an endpoint; a second one shows whether its connection is used again. */
export async function seenOf(row: AnswerRow): Promise<Facts> {
  const { used = false, always = false, early = false } = row;
  const first = used ? 2 : 1;
  const tls = row.tls?.() ?? null;
  let over = false;
  const acts = (nth: number): boolean => !over && nth >= first && (always || nth === first);
  await using server = await openRaw({
    tls,
    early: (nth) => early && acts(nth),
    answer: (socket, request) =>
      acts(request.nth) && row.answer !== undefined
        ? void row.answer(socket, request)
        : void socket.write(OK),
    connected: (socket) => {
      if (!over) row.connected?.(socket);
    },
  });
  const scheme = row.scheme ?? (tls === null ? 'http' : 'https');
  const { addresses = [] } = row;
  await using stack = new AsyncDisposableStack();
  if (addresses.includes('silent')) stack.use(await openSilent(AT.silent, server.port));
  const host = addresses.length > 0 ? 'name.test' : '127.0.0.1';
  await using poster = openRowPoster(`${scheme}://${host}:${server.port}`, row, tls?.ca);
  if (used) await poster.post();
  const outcome = await poster.post(row.large === true ? LARGE : '{}');
  const came = server.requests.length - (first - 1);
  over = true;
  await turns();
  const last = server.requests.at(-1)?.connection;
  await poster.post();
  const isKept = last !== undefined && server.requests.at(-1)?.connection === last;
  return { ...factsOf(outcome, row), came: row.came === undefined ? null : came, kept: isKept };
}

/** What can be compared of a row and of what came of it. */
export interface Facts {
  verdict: unknown;
  blamed: string;
  /** As much of it as the row says. */
  says: string;
  /** Null where the row does not say. */
  came: number | null;
  kept: boolean;
}

/** What a row says. */
export function statedBy(row: AnswerRow): Facts {
  const facts = factsOf(expected(row), row);
  return { ...facts, says: saysOf(row), came: row.came ?? null, kept: row.kept ?? false };
}

function factsOf(outcome: Outcome, row: AnswerRow): Omit<Facts, 'came' | 'kept'> {
  const says = saidBy(outcome).slice(0, saysOf(row).length);
  return { verdict: seen(outcome), blamed: blamed(outcome, row), says };
}

function openRowPoster(origin: string, row: AnswerRow, ca: string | undefined): Poster {
  const { timeoutMs = PATIENT_MS } = row;
  const found = (row.addresses ?? []).map((one) => ({ address: AT[one], family: 4 }));
  const egress = createEgress({
    allowCidrs: [...LOOPBACK, `${AT['no route']}/32`],
    resolve: () => Promise.resolve(found),
  });
  return openPoster({ egress, origin, timeoutMs, ca: ca ?? null });
}

/** The outcome that a row states. */
function expected({ code, status, phase }: AnswerRow): Outcome {
  if (code === undefined) return { kind: 'delivered', status: status ?? 200, responseHead: null };
  return { ...failed(code, '', phase ?? 'answer'), status: status ?? null };
}

function seen(outcome: Outcome) {
  if (outcome.kind === 'ours') return outcome;
  return [outcome.kind, outcome.status, outcome.kind === 'failed' ? outcome.code : null];
}

function saidBy(outcome: Outcome): string {
  return outcome.kind === 'delivered' ? '' : outcome.detail;
}

function saysOf({ code, status, says }: AnswerRow): string {
  if (code === undefined) return '';
  return says ?? `HTTP ${status}`;
}

const BLAMED: Record<Blame, string> = {
  endpoint: 'the endpoint',
  message: 'perhaps the message',
  gone: 'the endpoint, for good',
};

function blamed(outcome: Outcome, { eitherPhase = false }: AnswerRow): string {
  if (eitherPhase) return 'the endpoint, or perhaps the message';
  return outcome.kind === 'failed' ? BLAMED[blameOf(outcome)] : '–';
}

/** The row as a line of docs/receiving.md. */
export function lineOf(row: AnswerRow): string {
  const outcome = expected(row);
  const verdict =
    outcome.kind === 'failed' ? `\`${outcome.code}\`` : `delivered (${row.status ?? 200})`;
  const says = saysOf(row) === '' ? '–' : saysOf(row);
  return `| ${row.when} | ${verdict} | ${blamed(outcome, row)} | ${row.kept === true ? 'kept' : 'closed'} | ${says} |`;
}
