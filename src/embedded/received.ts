/** What came of checking a signature: `unknown` while there is no secret to check with. */
export type SignatureVerdict = 'verified' | 'refused' | 'unknown';

export interface Received {
  at: string;
  verdict: SignatureVerdict;
  webhook_id: string | null;
  consumer: string | null;
  position: number | null;
  attempt: number | null;
  bytes: number;
  /** The first 2,000 characters. */
  body: string;
}

export interface Counts {
  verified: number;
  refused: number;
  unknown: number;
}
