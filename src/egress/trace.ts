import type { IncomingHttpHeaders } from 'node:http';

import type { AttemptTrace } from '../schema/attemptTrace.ts';
import { isSecretHeader } from '../schema/secretHeader.ts';
import { MASK, type Hiding } from './hide.ts';
import { timingsOf, type Moments } from './timings.ts';

/** A request, and what is known about its answer. */
export interface RequestRecord {
  /** A flat list of names and values. */
  headers: readonly string[];
  /** The size of the body. */
  bytes: number;
  answer: { headers: IncomingHttpHeaders | null; bytes: number };
  moments: Moments;
}

/** How much of an answer's headers is kept: so many headers, and so many characters of names and values together. */
const MOST_HEADERS = 100;
const MOST_CHARACTERS = 8_192;

/**
 * The trace of an attempt. Masked are the values of headers whose names say that they carry credentials, the
 * values of the query, and the target's secrets and the token wherever they stand.
 */
export function traceOf(
  request: RequestRecord & { url: string; hiding: Hiding; token: string | null },
): AttemptTrace {
  const { url, headers, bytes, answer, moments, hiding, token } = request;
  const mask = hiding.of(token);
  const shown = (text: string): string => mask(text.replaceAll('\u0000', '\ufffd'));
  const toShown = ({ name, value }: Header): Header => ({
    name: shown(name),
    value: isSecretHeader(name) ? MASK : shown(value),
  });
  return {
    url: shown(withoutQueryValues(url)),
    request_headers: pairs(headers).map(toShown),
    request_bytes: bytes,
    response_headers: received(answer.headers ?? {}).map(toShown),
    response_bytes: answer.bytes,
    timings: timingsOf(moments),
  };
}

/** A query may carry a key of the endpoint, whatever its parameters are called. */
function withoutQueryValues(url: string): string {
  const [path = '', ...rest] = url.split('?');
  if (rest.length === 0) return url;
  const shown = rest.join('?').split('&').map(withoutValue);
  return `${path}?${shown.join('&')}`;
}

function withoutValue(parameter: string): string {
  const equals = parameter.indexOf('=');
  return equals === -1 ? MASK : `${parameter.slice(0, equals + 1)}${MASK}`;
}

interface Header {
  name: string;
  value: string;
}

function pairs(flat: readonly string[]): Header[] {
  const all: Header[] = [];
  for (let at = 0; at + 1 < flat.length; at += 2) {
    all.push({ name: flat[at] ?? '', value: flat[at + 1] ?? '' });
  }
  return all;
}

/** The first headers of an answer. */
function received(headers: IncomingHttpHeaders): Header[] {
  const kept: Header[] = [];
  let left = MOST_CHARACTERS;
  for (const [name, given] of Object.entries(headers)) {
    for (const value of Array.isArray(given) ? given : [given ?? '']) {
      left -= name.length + value.length;
      if (left < 0 || kept.length === MOST_HEADERS) return kept;
      kept.push({ name, value });
    }
  }
  return kept;
}

/** The moments of a request that was never dispatched. */
export const NO_MOMENTS = {
  dispatchedAt: 0,
  opening: null,
  writtenAt: 0,
  flushedAt: 0,
  statusAt: 0,
} as const;
