import type { Message } from './message.ts';

/** Follows which streams a run reads from beginning to end. */
export interface FullPasses {
  /** Takes each message, in order. */
  follow(message: Message): void;
  /** The streams whose records come in a full pass, as far as is known now. */
  streams(): Iterable<string>;
  /** Once the input has ended well: the streams that came whole, and why others do not count although one may think so. */
  ended(): { whole: string[]; notWhole: { stream: string; why: string }[] };
}

/** How much earlier than this run a tap may have numbered its version, ms. */
const MARGIN_MS = 60_000;

interface StreamPast {
  /** Of its last record; null before there is one, and where it has none. */
  version: string | null;
  /** Whether the connector said that it is complete, and sent nothing more of it. */
  isComplete: boolean;
  /** Whether the connector says of its streams when they are complete. */
  hasStatus: boolean;
}

/**
 * With `isAll` every stream of the run comes whole, unless its source speaks of its status and never of its end.
 * Without it only a stream whose tap says so by an ACTIVATE_VERSION after its last record does, with the version of
 * that record. One that comes before the records says nothing: taps send it at the start as well. Nor does one whose
 * version is older than the run, which began at `startedAt`: a tap that goes on where it was interrupted sends only
 * the rest.
 */
export function followFullPasses(options: { isAll: boolean; startedAt: number }): FullPasses {
  const { isAll, startedAt } = options;
  const pasts = new Map<string, StreamPast>();
  const inPass = new Set<string>();

  function pastOf(stream: string): StreamPast {
    const past = pasts.get(stream) ?? { version: null, isComplete: false, hasStatus: false };
    pasts.set(stream, past);
    if (isAll) inPass.add(stream);
    return past;
  }

  function whyNot(past: StreamPast): string | null {
    if (isAll) {
      return past.hasStatus && !past.isComplete
        ? 'its source did not say that it is complete'
        : null;
    }
    if (isOfRun(past.version, startedAt)) return null;
    return `its version ${past.version} is older than this run, in which the tap may have sent only the rest; if it sent all, say so with --full-pass`;
  }

  return {
    follow: (message) => {
      if (message.kind === 'record') {
        const past = pastOf(message.stream);
        past.isComplete = false;
        past.version = message.version;
        if (message.version !== null) inPass.add(message.stream);
      } else if (message.kind === 'stream') {
        const past = pastOf(message.stream);
        past.hasStatus ||= message.hasStatus;
      } else if (message.kind === 'complete') {
        const past = pastOf(message.stream);
        past.hasStatus ||= message.version === null;
        past.isComplete = message.version === null || message.version === past.version;
      }
    },
    streams: () => inPass,
    ended: () => {
      const all = [...inPass]
        .map((stream) => ({ stream, past: pasts.get(stream)! }))
        .filter(({ past }) => isAll || past.isComplete)
        .map(({ stream, past }) => ({ stream, why: whyNot(past) }));
      return {
        whole: all.filter(({ why }) => why === null).map(({ stream }) => stream),
        notWhole: all.flatMap(({ stream, why }) => (why === null ? [] : [{ stream, why }])),
      };
    },
  };
}

/** Whether a version, which is a time by custom, is as young as the run. A small number is none, and counts as one. */
function isOfRun(version: string | null, startedAt: number): boolean {
  const value = Number(version);
  if (!(value > 1e9)) return true;
  let ms = value < 1e11 ? value * 1_000 : value; // seconds, or ms
  while (ms > 1e14) ms /= 1_000; // or less
  return ms >= startedAt - MARGIN_MS;
}
