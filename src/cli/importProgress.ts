import type { Checkpoint } from './importCheckpoint.ts';
import type { SourcePlace } from './importSource.ts';
import type { Output } from './output.ts';

/** Shows the rate and the remaining time of an import on stderr. */
export function createProgress(options: {
  out: Pick<Output, 'progress' | 'endProgress'>;
  /** Bytes of the source; null for stdin. */
  size: number | null;
  from: SourcePlace;
}): {
  at: (checkpoint: Checkpoint) => void;
  end: () => void;
  figures: () => { seconds: number; rate: number };
} {
  const { out, size } = options;
  const from = { ...options.from };
  const began = performance.now();
  let lines = 0;

  function figures(): { seconds: number; rate: number } {
    const seconds = (performance.now() - began) / 1_000;
    return { seconds: Math.round(seconds * 10) / 10, rate: Math.round(lines / seconds) };
  }

  return {
    figures,
    end: () => out.endProgress(),
    at: ({ place, rejected }) => {
      lines = place.number - from.number;
      const { seconds, rate } = figures();
      const parts = [`${place.number.toLocaleString('en')} lines`];
      if (size !== null && size > 0) {
        const done = place.offset - from.offset;
        const left = done === 0 ? 0 : ((size - place.offset) / done) * seconds;
        parts.push(`${Math.floor((place.offset / size) * 100)} %`, `${minutes(left)} to go`);
      }
      parts.push(`${rate.toLocaleString('en')}/s`);
      if (rejected > 0) parts.push(`${rejected} rejected`);
      out.progress(parts.join('  '));
    },
  };
}

function minutes(seconds: number): string {
  const whole = Math.round(seconds);
  return whole < 60 ? `${whole} s` : `${Math.floor(whole / 60)} min ${whole % 60} s`;
}
