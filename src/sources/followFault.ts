import { isDatabaseAway, mayBeRepeated } from '../db/errors.ts';
import { codeOf } from '../egress/errorCode.ts';
import { OfDatabase } from './ofDatabase.ts';
import { ProtocolError } from './postgres/byteReader.ts';
import { connectionFault, type ShownAddress } from './postgres/connectionFault.ts';
import { REFUSED, type LogEnding } from './postgres/logEnding.ts';
import { NotFit } from './setUp.ts';

/** What an error means for a source. */
export type FollowFault =
  /** It comes again until somebody changes something. */
  | { kind: 'lasting'; words: string }
  /** It is tried again. */
  | { kind: 'passing'; words: string };

/**
 * Codes by which Postgres refuses a statement that is right, for a while. That a name is taken (42710) which was free
 * just before, comes of a follower that has lost its lease and does not know it yet.
 */
const PASSING = /^(?:42710|55006|53|57)/u;

/** Judges an error; null for one that is not of the database that is followed, but of ours, or a fault of ours. */
export function followFaultOf(error: unknown, address: ShownAddress): FollowFault | null {
  if (error instanceof NotFit) return { kind: 'lasting', words: error.message };
  if (!(error instanceof OfDatabase)) return null;
  const { cause } = error;
  if (cause instanceof TypeError || cause instanceof ReferenceError) return null;
  const { problem, advice } = connectionFault(cause, address);
  return { kind: isLasting(cause) ? 'lasting' : 'passing', words: `${problem} ${advice}` };
}

function isLasting(cause: unknown): boolean {
  const code = codeOf(cause);
  if (REFUSED.test(code) || code === 'ADDRESS_REFUSED') return true;
  if (cause instanceof ProtocolError) return true;
  if (PASSING.test(code) || isDatabaseAway(cause) || mayBeRepeated(cause)) return false;
  return /^[0-9A-Z]{5}$/u.test(code);
}

/** Why following has ended although nothing is wrong here, for people; null: it was told to. */
export function wordsOfEnding(ending: LogEnding, { host, port }: ShownAddress): string | null {
  switch (ending.kind) {
    case 'stopped':
      return null;
    case 'slot in use':
      return `Another session reads its replication slot: ${ending.message}. That of a worker that was lost ends by itself.`;
    case 'slot lost':
      return `Its replication slot is lost: ${ending.message}. Another one is created, and its tables are read anew.`;
    case 'log unreadable':
      return `Postgres can't decode its log: ${ending.message}. Another replication slot is created, and its tables are read anew.`;
    case 'disconnected':
      return `The connection to ${host}:${port} was lost: ${ending.message}.`;
  }
}
