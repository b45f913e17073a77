import { drawFrom } from './seeded.ts';
import type { Reply } from './wire.ts';

export type Mode = 'well' | 'reset' | 'silent' | 410 | 429 | 500 | 503;

/** What a record's requests get: a status, no answer at all, or a lost connection. */
export type Poison = number | 'silent' | 'reset';

export interface ScriptedEndpoint {
  answerWith(mode: Mode, retryAfter: number | null, asDate: boolean): void;
  /** These records get what they are given here, unless the endpoint is silent, resets or is gone. */
  poison(records: Map<number, Poison>): void;
  /** Whether requests of a record fail whatever mode the endpoint is in. */
  isPoisoned(record: number): boolean;
  /** How a request with entries of these records is answered: one that is poisoned decides. */
  replyTo(records: readonly number[]): Reply;
}

/** An endpoint whose moods are scripted; how long an answer takes is drawn from the seed. */
export function createScriptedEndpoint(seed: number): ScriptedEndpoint {
  const draw = drawFrom(seed);
  let mode: Mode = 'well';
  let asked: { seconds: number; asDate: boolean } | null = null;
  let poison = new Map<number, Poison>();

  return {
    answerWith: (next, retryAfter, asDate) => {
      mode = next;
      asked = retryAfter === null ? null : { seconds: retryAfter, asDate };
    },
    poison: (records) => {
      poison = records;
    },
    isPoisoned: (record) => poison.has(record),
    replyTo: (records) => {
      const afterMs = 1 + Math.floor(draw() ** 2 * 300);
      if (mode === 'silent') return null;
      if (mode === 'reset' || mode === 410) return { afterMs, status: mode };
      const status = records.map((record) => poison.get(record)).find((one) => one !== undefined);
      if (status === 'silent') return null;
      if (status !== undefined) return { afterMs, status };
      if (mode === 'well') return { afterMs, status: 204 };
      if (asked === null) return { afterMs, status: mode };
      const at = new Date(Date.now() + afterMs + asked.seconds * 1_000);
      const retryAfter = asked.asDate ? at.toUTCString() : String(asked.seconds);
      return { afterMs, status: mode, retryAfter };
    },
  };
}
