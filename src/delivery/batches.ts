import { createFailedBatches } from '../failure/failedBatches.ts';
import { firstOfLanes, type Outgoing } from '../failure/outgoing.ts';
import { createBatchDispatcher, type BatchDispatcher } from '../flow/batchDispatcher.ts';
import { createCohorts } from '../flow/cohorts.ts';
import type { SlidingWindow } from '../flow/slidingWindow.ts';
import { elementBytes, envelopeBytes } from '../rules/envelope.ts';
import type { ConsumerBatch } from '../schema/batch.ts';
import type { Entry } from '../streams/entry.ts';
import { createBatchLanding } from './batchLanding.ts';
import { BatchMessage } from './batchMessage.ts';
import type { Landing } from './landing.ts';
import type { SenderConfig } from './senderConfig.ts';
import { startAttempt } from './sendSlot.ts';
import type { Stations, Way } from './way.ts';

/** Creates the way of a consumer's entries into batches, and back. */
export function createBatches(
  { consumerId, stream, ordering }: Pick<SenderConfig, 'consumerId' | 'stream' | 'ordering'>,
  batch: ConsumerBatch,
  window: Pick<SlidingWindow<Entry>, 'open' | 'bytes'>,
): Way {
  const { max_entries: entries, max_bytes: bytes, max_wait_ms: waitMs } = batch;
  const cohorts = createCohorts<Outgoing>();
  let dispatcher: BatchDispatcher<Outgoing> | null = null;
  let landing: Pick<Landing, 'ended'>;
  let stations: Stations;

  function send(members: Outgoing[]): void {
    for (const member of members) startAttempt(stations, member);
    stations.failures.started(members[0] as Outgoing);
    const leave = (rest: readonly Outgoing[]): void => takeBack(members, rest);
    stations.senders.send(new BatchMessage(consumerId, members, leave));
  }

  /** Queues the rest of a batch again, apart from entries that wait behind others of it in their lanes. */
  function takeBack(members: readonly Outgoing[], rest: readonly Outgoing[]): void {
    const first = new Set(firstOfLanes(members));
    dispatcher?.takeBack(
      rest,
      rest.filter((slot) => first.has(slot)),
    );
  }

  /** Under "stream" nothing is sent beside a batch, so that the rest of one says nothing about the entry at fault. */
  function startedAt(slot: Outgoing): number | undefined {
    return ordering === 'stream' ? undefined : cohorts.of(slot)?.startedAt;
  }

  return {
    dispatcher: (flow) => {
      dispatcher = createBatchDispatcher<Outgoing>({
        ...flow,
        send,
        limits: { entries, bytes, waitMs },
        cohorts,
        window,
        nextOf: (slot) => slot.next as Outgoing | null,
        isOver: ({ closed, entry }) => closed || entry.superseded,
        sizeOf: ({ entry }) => elementBytes(stream, entry.bytes),
        emptyBytes: envelopeBytes(stream),
      });
      return dispatcher;
    },
    begin: (given) => {
      stations = given;
      landing = createBatchLanding({ ...given, cohorts });
    },
    landed: (slot, outcome, at, ms, mono) => landing.ended(slot, outcome, at, ms, mono),
    failures: { batches: createFailedBatches(), startedAt },
    gathers: () => dispatcher?.gathers === true,
    close: () => dispatcher?.close(),
  };
}
