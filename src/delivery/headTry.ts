import type { Logger } from 'pino';

import type { Outgoing } from '../failure/outgoing.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';

export interface HeadTryOptions {
  consumerId: string;
  stream: StreamName;
  pages: Pick<Pages, 'entryAt'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'upNext' | 'pump' | 'inFlight'>;
  log: Pick<Logger, 'warn'>;
}

/** Makes a single request with what has its turn next, while nothing else is sent. */
export interface HeadTry {
  /**
   * Starts it, after settling entries that are not to be sent any more. Resolves when the attempt is in
   * progress, or can't be started now; data that has to be looked up for it is used only if the attempt is
   * still wanted (`isWanted`).
   */
  make(isWanted: () => boolean): Promise<void>;
  /** Whether what has its turn next may be sent. */
  readonly mayStart: boolean;
  /** Notes that an entry whose turn had come was not sent, but settled. */
  skipped(): void;
}

/** Creates the try; nothing may be sent before `make`. */
export function createHeadTry(options: HeadTryOptions): HeadTry {
  const { dispatcher, stream, pages } = options;
  let permitted = false;

  async function make(isWanted: () => boolean): Promise<void> {
    try {
      for (let next = dispatcher.upNext(); next.length > 0; next = dispatcher.upNext()) {
        if (stream === 'records') await Promise.all(next.map(lookUp));
        if (!isWanted()) return;
        permitted = true;
        dispatcher.pump();
        if (dispatcher.inFlight > 0 || permitted) return;
      }
    } catch (error) {
      const fields = { err: error, consumer_id: options.consumerId };
      options.log.warn(fields, 'a record could not be read again');
    } finally {
      permitted = false;
    }
  }

  /** A record of which a newer version has been stored meanwhile is not sent any more. */
  async function lookUp({ entry, position }: Outgoing): Promise<void> {
    entry.superseded ||= (await pages.entryAt(stream, position)) === null;
  }

  return {
    make,
    get mayStart() {
      return permitted;
    },
    skipped: () => {
      if (stream === 'records') permitted = false; // the next one has to be looked up first
    },
  };
}
