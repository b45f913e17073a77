import type { AttemptTimings } from '../schema/attemptTrace.ts';
import type { Opening } from './opening.ts';

/** The known moments of one attempt; monotonic ms, 0 for those that have not come. */
export interface Moments {
  startedAt: number;
  /** When the last request of the attempt was given to its connections; `startedAt` if that happened immediately. */
  dispatchedAt: number;
  /** The opening of the connection for this request; null: it used an open one, or got none. */
  opening: Opening | null;
  /** When the request began to be written. */
  writtenAt: number;
  /** When all of it had left this process, if that did not happen immediately. */
  flushedAt: number;
  /** When the status line was complete. */
  statusAt: number;
  endedAt: number;
}

/** The steps of an attempt up to its end. A step in which it ended lasts until then; later steps are null. */
export function timingsOf(moments: Moments): AttemptTimings {
  const { startedAt, dispatchedAt, opening, writtenAt, statusAt, endedAt } = moments;
  const sentAt = Math.max(writtenAt, moments.flushedAt);
  const servedAt = opening?.begunAt ?? (writtenAt > 0 ? writtenAt : endedAt);
  const isDispatched = dispatchedAt > 0;
  const openAt = Math.max(opening?.connectedAt ?? 0, opening?.securedAt ?? 0);
  const readyAt = openAt > 0 ? openAt : writtenAt;
  return {
    lane: null,
    pace: null,
    prepare:
      dispatchedAt === startedAt ? null : span(startedAt, isDispatched ? dispatchedAt : endedAt),
    connection: isDispatched ? span(dispatchedAt, servedAt) : null,
    ...openingSteps(opening, endedAt),
    request: writtenAt > 0 ? span(readyAt, sentAt) : null,
    first_byte: writtenAt > 0 ? span(sentAt, statusAt > 0 ? statusAt : endedAt) : null,
    body: statusAt > 0 ? span(statusAt, endedAt) : null,
  };
}

function openingSteps(
  opening: Opening | null,
  endedAt: number,
): Pick<AttemptTimings, 'dns' | 'connect' | 'tls'> {
  if (opening === null) return { dns: null, connect: null, tls: null };
  const { begunAt, lookedUpAt, connectedAt, securedAt, isSecure } = opening;
  const until = (at: number): number => (at > 0 ? at : endedAt);
  const isLookedUp = lookedUpAt > 0;
  const isConnected = connectedAt > 0;
  return {
    dns: lookedUpAt === begunAt ? null : span(begunAt, until(lookedUpAt)),
    connect: isLookedUp ? span(lookedUpAt, until(connectedAt)) : null,
    tls: isSecure && isConnected ? span(connectedAt, until(securedAt)) : null,
  };
}

/** Rounded to 10 µs; never negative. */
function span(from: number, to: number): number {
  return Math.max(0, Math.round((to - from) * 100) / 100);
}
