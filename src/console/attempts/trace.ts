import { useQuery } from '@tanstack/react-query';

import type { AttemptTrace } from '../../schema/attemptTrace.ts';
import { api, type Attempt } from '../api.ts';

/** The trace of an attempt: undefined while it is read, null when none was kept. */
export function useTrace(attempt: Attempt): AttemptTrace | null | undefined {
  const { data, isError } = useQuery({
    queryKey: ['attempt-trace', attempt.id],
    queryFn: () => readTrace(attempt),
    staleTime: Infinity,
  });
  return isError ? null : data;
}

const MOST_AT_ONCE = 1_000;

/** Requests the attempts that began in the same millisecond. */
async function readTrace(attempt: Attempt): Promise<AttemptTrace | null> {
  const at = Date.parse(attempt.started_at);
  const { data } = await api.consumers.attempts(attempt.consumer_id, {
    since: new Date(at).toISOString(),
    until: new Date(at + 1).toISOString(),
    include: 'trace',
    limit: MOST_AT_ONCE,
  });
  return data.find(({ id }) => id === attempt.id)?.trace ?? null;
}

/** The request with its body exactly as it was signed; without its body if that is not known. */
export function requestText(trace: AttemptTrace, body: string | null): string {
  const lines = trace.request_headers.map(({ name, value }) => `${name}: ${value}`);
  const end = body === null ? `(${trace.request_bytes} bytes)` : body;
  return [`POST ${trace.url}`, ...lines, '', end].join('\n');
}

/** The answer as it came: its status, its headers, and the beginning of its body. */
export function answerText(
  trace: AttemptTrace,
  status: number | null,
  head: string | null,
): string {
  if (status === null) return '(no response)';
  const lines = trace.response_headers.map(({ name, value }) => `${name}: ${value}`);
  return [`HTTP ${status}`, ...lines, '', head ?? ''].join('\n').trimEnd();
}
