import type { Webhook } from 'standardwebhooks';

import type { Received, TestReceiver } from '../../test/support/receiver.ts';
import type { Installation } from '../instruments/installation.ts';

/**
 * Keeps the books of one consumer: which entries were appended, which of them have to arrive, and which have
 * arrived.
 */
export interface Ledger {
  readonly consumerId: string;
  /** From now on the books are about this consumer. */
  begin(consumerId: string, webhook: Webhook): void;
  append(
    call: Installation['api'],
    what: { count: number; collection: string; expected: boolean },
  ): Promise<void>;
  /**
   * Resolves once everything that has to arrive has arrived. Throws when anything else has arrived, is not
   * signed, is out of order, or has come twice, unless it is `unstored`: after a kill such entries may come
   * twice.
   */
  settle(unstored?: (position: number) => boolean): Promise<void>;
  /** Resolves once the witness has got every entry. */
  witnessed(): Promise<void>;
  /** Throws when the consumer's endpoint has been sent anything after its first `count` entries. */
  nothingSince(count: number): void;
  /** How many entries came more than once. */
  repeated(): number;
  /** The pid of the process that holds the consumer's lease; null while none does. */
  sender(): Promise<number | null>;
  /** Returns a function that says whether an entry, by its position, was not yet stored as settled at this moment. */
  stored(): Promise<(position: number) => boolean>;
}

const RECORDS = 10;
const BATCH = 500;

/**
 * Creates the books of one consumer, whose endpoint is `receiver`; the endpoint of the installation is the
 * witness's.
 */
export function createLedger(receiver: TestReceiver, installation: Installation): Ledger {
  const expected = new Set<number>();
  let appended = 0;
  let consumer: { id: string; webhook: Webhook } | null = null;

  function current(): { id: string; webhook: Webhook } {
    if (consumer === null) throw new Error('there is no consumer yet');
    return consumer;
  }

  /** What the endpoint has accepted. */
  const taken = (): Received[] => receiver.received.filter(({ status }) => status === 204);

  async function cursor(): Promise<{ position: string; ahead: string[]; holder: string | null }> {
    const { rows } = await installation.sql.query(
      'select position, ahead, holder from cursors where consumer_id = $1',
      [current().id],
    );
    return rows[0] as { position: string; ahead: string[]; holder: string | null };
  }

  return {
    get consumerId() {
      return current().id;
    },
    begin: (id, webhook) => (consumer = { id, webhook }),
    append: async (call, what) => {
      for (let done = 0; done < what.count; done += BATCH) {
        const numbers = Array.from({ length: Math.min(BATCH, what.count - done) }, () => {
          appended += 1;
          return appended;
        });
        await call('POST', '/v1/events', {
          events: numbers.map((number) => ({
            sync_id: 'check',
            collection_id: what.collection,
            upstream_id: `r-${number % RECORDS}`,
            event: 'updated',
            data: { number },
          })),
        });
        if (what.expected) for (const number of numbers) expected.add(number);
      }
    },
    settle: async (unstored) => {
      await installation.until(`all of ${expected.size} entries have arrived`, async () => {
        return new Set(taken().map(numberOf)).size >= expected.size;
      });
      const all = taken();
      for (const one of all) current().webhook.verify(one.body, signatureOf(one));
      const unexpected = all.map(numberOf).filter((number) => !expected.has(number));
      if (unexpected.length > 0) throw new Error(`${unexpected.length} entries came unasked`);
      const again = repeats(all).filter(({ position }) => unstored?.(position) !== true);
      if (again.length > 0) throw new Error(`${again.length} entries came again`);
      const late = outOfOrder(all);
      if (late.length > 0) throw new Error(`${late.length} entries came after newer ones`);
    },
    witnessed: () =>
      installation.until(`the witness has ${appended} entries`, async () => {
        return (await installation.endpoint.received()).total >= appended;
      }),
    nothingSince: (count) => {
      const more = receiver.received.length - count;
      if (more > 0) throw new Error(`${more} requests came`);
    },
    repeated: () => repeats(taken()).length,
    sender: async () => {
      const { holder } = await cursor();
      return holder === null ? null : Number(holder.split('/')[1]);
    },
    stored: async () => {
      const { position, ahead } = await cursor();
      const settled = new Set(ahead.map(Number));
      return (one) => one > Number(position) && !settled.has(one);
    },
  };
}

interface Body {
  event: { upstream_id: string; data: { number: number } };
}

function numberOf({ body }: Received): number {
  return (JSON.parse(body) as Body).event.data.number;
}

function signatureOf({ headers }: Received): Record<string, string> {
  const names = ['webhook-id', 'webhook-timestamp', 'webhook-signature'];
  return Object.fromEntries(names.map((name) => [name, String(headers[name])]));
}

/** All deliveries of an entry after its first one. */
function repeats(all: Received[]): Received[] {
  const seen = new Set<number>();
  return all.filter(({ position }) => seen.size === seen.add(position).size);
}

/** The entries that came for the first time after a newer one of their record. */
function outOfOrder(all: Received[]): Received[] {
  const again = new Set(repeats(all));
  const newest = new Map<string, number>();
  return all.filter((one) => {
    if (again.has(one)) return false;
    const record = (JSON.parse(one.body) as Body).event.upstream_id;
    const before = newest.get(record) ?? 0;
    newest.set(record, Math.max(before, one.position));
    return one.position < before;
  });
}
