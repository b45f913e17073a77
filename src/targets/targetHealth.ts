import { certificateEnd } from '../rules/certificateEnd.ts';
import { clockText } from '../rules/clockText.ts';
import type { Health } from '../schema/fields.ts';

/** How many of a target's consumers are in which state; absent where that was not counted. */
export interface CountedConsumers {
  active?: number;
  paused?: number;
  blocked?: number;
  stopped?: number;
  /** How many can't send because of a lasting fault that is not the endpoint's. */
  faulty?: number;
  /** The reasons why they can't, each once; null: there is none. */
  faults?: string[] | null;
}

/** When the client certificate of a target ends, RFC 3339; null: it has none. */
interface Certified {
  client_certificate_ends: string | null;
}

/**
 * A target's health: `error` while a part of it can't be read (`unreadable`, as sentences) or a consumer of it
 * is stopped or can't send, or once its client certificate has ended; `warn` while one is blocked, and in the last 14
 * days of its client certificate.
 */
export function targetHealth(
  target: CountedConsumers & Certified,
  unreadable: readonly string[],
  now: Date,
): Health {
  const { blocked = 0, stopped = 0, faulty = 0, faults, client_certificate_ends: ends } = target;
  const end = ends === null ? null : certificateEnd(ends, now.getTime());
  const others = (faults ?? []).filter((fault) => !unreadable.includes(fault));
  const notes = [
    ...unreadable,
    ...(stopped > 0 ? [ofItsConsumers(stopped, 'stopped')] : []),
    ...(faulty > 0 ? [`${ofItsConsumers(faulty, 'unable to send')}${because(others)}`] : []),
    ...(blocked > 0 ? [ofItsConsumers(blocked, 'blocked')] : []),
    ...(end === null || ends === null
      ? []
      : [
          `Its client certificate ${end === 'over' ? 'ended' : 'ends'} at ${clockText(ends, now)}: save a new one`,
        ]),
  ];
  const isError = unreadable.length > 0 || stopped > 0 || faulty > 0 || end === 'over';
  const status = isError ? 'error' : blocked > 0 || end !== null ? 'warn' : 'ok';
  return { status, notes, time: now.toISOString() };
}

function ofItsConsumers(count: number, state: string): string {
  return `${count} of its consumers ${count === 1 ? 'is' : 'are'} ${state}`;
}

/** The first of the reasons; each consumer shows its own. */
function because([first, ...more]: readonly string[]): string {
  if (first === undefined) return '';
  return more.length === 0 ? `. ${first}` : `. ${first}; and ${more.length} other reasons`;
}
