const PHRASES: Record<string, string> = {
  CONNECTION_REFUSED: 'Refused connections',
  CONNECTION_RESET: 'Dropped connections',
  DNS_FAILED: 'Host name not found',
  TIMEOUT: 'No answer in time',
  TLS_FAILED: 'TLS failed',
  PROTOCOL_ERROR: 'Unreadable answers',
  ADDRESS_REFUSED: 'Address not allowed',
  CREDENTIALS_FAILED: 'Credentials failed',
};

/** What a failing endpoint does, by the code of its failure; null for a code that has no words. */
export function failurePhrase(code: string): string | null {
  return PHRASES[code] ?? null;
}
