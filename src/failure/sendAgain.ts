import type { Logger } from 'pino';

import type { Dispatcher } from '../flow/dispatcher.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import type { Outgoing } from './outgoing.ts';

export interface SendAgainOptions {
  consumerId: string;
  stream: StreamName;
  pages: Pick<Pages, 'entryAt'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'putBack' | 'pump'>;
  /** Called when a newer version of the record has been stored, so that this one is no longer sent. */
  superseded: (slot: Outgoing) => void;
  log: Logger;
}

/**
 * Creates the function that sends an entry again; a record only if no newer version of it has been stored
 * meanwhile.
 */
export function createSendAgain(options: SendAgainOptions): (slot: Outgoing) => void {
  const { consumerId, stream, pages, dispatcher, log } = options;

  async function readAndSend(slot: Outgoing): Promise<void> {
    try {
      const { entry } = slot; // read first, because a slot that settles meanwhile drops its entry
      entry.superseded = (await pages.entryAt(stream, slot.position)) === null;
    } catch (error) {
      log.warn({ err: error, consumer_id: consumerId }, 'a record could not be read again');
    }
    if (slot.entry.superseded) options.superseded(slot);
    dispatcher.putBack(slot);
    dispatcher.pump();
  }

  return (slot) => {
    if (stream === 'records') void readAndSend(slot);
    else dispatcher.putBack(slot);
  };
}
