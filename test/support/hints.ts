import type { Hear, Listener } from '../../src/db/listener.ts';

/** NOTIFY within a process: who listens on a channel hears what is hinted there. */
export interface Hints {
  listen: Listener['on'];
  hint(channel: string): void;
}

export function createHints(): Hints {
  const hub = new Map<string, Set<Hear>>();
  return {
    listen: (channel, hear) => {
      const heard = hub.get(channel) ?? new Set();
      hub.set(channel, heard.add(hear));
      return () => void heard.delete(hear);
    },
    hint: (channel) => {
      for (const hear of hub.get(channel) ?? []) hear(null);
    },
  };
}
