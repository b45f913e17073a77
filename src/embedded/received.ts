/** The result of checking a signature; `unknown` while there is no secret to check with. */
export type SignatureVerdict = 'verified' | 'refused' | 'unknown';

/** A webhook that the development receiver got. */
export interface Received {
  at: string;
  verdict: SignatureVerdict;
  webhook_id: string | null;
  consumer: string | null;
  position: number | null;
  attempt: number | null;
  bytes: number;
  /** All headers by their names in lower case; those that carry credentials are masked. */
  headers: Record<string, string>;
  /** The first 2,000 characters. */
  body: string;
}

/** How many webhooks the receiver got, by verdict. */
export interface Counts {
  verified: number;
  refused: number;
  unknown: number;
}
