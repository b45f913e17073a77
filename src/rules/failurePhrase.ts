import { aboutSeconds } from './lateAnswer.ts';

const PHRASES: Record<string, string> = {
  CONNECTION_REFUSED: 'Refused connections',
  CONNECTION_RESET: 'Closed connections',
  DNS_FAILED: 'Host name not found',
  TIMEOUT: 'No answer in time',
  TLS_FAILED: 'TLS failed',
  PROTOCOL_ERROR: 'Unreadable answers',
  BODY_FAILED: 'No body could be made',
  ADDRESS_REFUSED: 'Address not allowed',
  CREDENTIALS_FAILED: 'Credentials failed',
};

/** What a failing endpoint does, by the code of its failure; null for a code that has no words. */
export function failurePhrase(code: string): string | null {
  return PHRASES[code] ?? null;
}

/** What a failing endpoint does, by its last failure: `Answered HTTP 503`, `No answer in time`. */
export function failureWords(failure: {
  code: string;
  status: number | null;
  /** The answer that came after a timeout, where one is known. */
  late?: { after_ms: number } | null | undefined;
}): string {
  const { code, status, late } = failure;
  if (late !== undefined && late !== null) {
    return `Answers later than its timeout (${aboutSeconds(late.after_ms)})`;
  }
  if (status !== null) return `Answered HTTP ${status}`;
  return failurePhrase(code) ?? `Failing (${code})`;
}
