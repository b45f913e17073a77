import { drawFrom } from './seeded.ts';
import type { Reply } from './wire.ts';

export type Mode = 'well' | 'reset' | 'silent' | 410 | 429 | 500 | 503;

export interface ScriptedEndpoint {
  answerWith(mode: Mode, retryAfter: number | null, asDate: boolean): void;
  /** These records are answered with a status of their own, unless the endpoint is silent, resets or is gone. */
  poison(records: Map<number, number>): void;
  replyTo(record: number): Reply;
}

/** An endpoint whose moods are scripted; how long an answer takes is drawn from the seed. */
export function createScriptedEndpoint(seed: number): ScriptedEndpoint {
  const draw = drawFrom(seed);
  let mode: Mode = 'well';
  let asked: { seconds: number; asDate: boolean } | null = null;
  let poison = new Map<number, number>();

  return {
    answerWith: (next, retryAfter, asDate) => {
      mode = next;
      asked = retryAfter === null ? null : { seconds: retryAfter, asDate };
    },
    poison: (records) => {
      poison = records;
    },
    replyTo: (record) => {
      const afterMs = 1 + Math.floor(draw() ** 2 * 300);
      if (mode === 'silent') return null;
      if (mode === 'reset' || mode === 410) return { afterMs, status: mode };
      const status = poison.get(record);
      if (status !== undefined) return { afterMs, status };
      if (mode === 'well') return { afterMs, status: 204 };
      if (asked === null) return { afterMs, status: mode };
      const at = new Date(Date.now() + afterMs + asked.seconds * 1_000);
      const retryAfter = asked.asDate ? at.toUTCString() : String(asked.seconds);
      return { afterMs, status: mode, retryAfter };
    },
  };
}
