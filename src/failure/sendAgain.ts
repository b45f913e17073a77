import type { Logger } from 'pino';

import type { Dispatcher } from '../flow/dispatcher.ts';
import type { StreamName } from '../schema/stream.ts';
import type { Pages } from '../streams/pages.ts';
import { firstOfLanes, type Outgoing } from './outgoing.ts';

export interface SendAgainOptions {
  consumerId: string;
  stream: StreamName;
  pages: Pick<Pages, 'entryAt'>;
  dispatcher: Pick<Dispatcher<Outgoing>, 'putBack' | 'putBackAll' | 'pump'>;
  /** Called when a newer version of the record has been stored, so that this one is no longer sent. */
  superseded: (slot: Outgoing) => void;
  log: Logger;
}

/** Sends entries again. */
export interface SendAgain {
  one(slot: Outgoing): void;
  /** Sends entries again that went with one request. */
  all(members: readonly Outgoing[]): void;
  /** Whether entries that go again are being looked up. */
  readonly looks: boolean;
}

/**
 * Creates what sends entries again; a record only if no newer version of it has been stored meanwhile.
 */
export function createSendAgain(options: SendAgainOptions): SendAgain {
  const { consumerId, stream, pages, dispatcher, log } = options;

  let looking = 0;

  async function look(slot: Outgoing): Promise<void> {
    try {
      const { entry } = slot; // read first, because a slot that settles meanwhile drops its entry
      entry.superseded = (await pages.entryAt(stream, slot.position)) === null;
    } catch (error) {
      log.warn({ err: error, consumer_id: consumerId }, 'a record could not be read again');
    }
    if (slot.entry.superseded) options.superseded(slot);
  }

  async function readAndSend(slot: Outgoing): Promise<void> {
    await look(slot);
    dispatcher.putBack(slot);
    dispatcher.pump();
  }

  async function readAndSendAll(members: readonly Outgoing[]): Promise<void> {
    looking += 1;
    await Promise.all(members.map(look));
    looking -= 1;
    dispatcher.putBackAll(firstOfLanes(members));
    dispatcher.pump();
  }

  return {
    one: (slot) => {
      if (stream === 'records') void readAndSend(slot);
      else dispatcher.putBack(slot);
    },
    all: (members) => {
      for (const member of members) member.sent = false;
      if (stream === 'records') void readAndSendAll(members);
      else dispatcher.putBackAll(firstOfLanes(members));
    },
    get looks() {
      return looking > 0;
    },
  };
}
