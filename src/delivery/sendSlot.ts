import type { FailureHandler } from '../failure/failureHandler.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { ParkedEntries } from '../failure/parkedEntries.ts';
import type { OpenSenders } from './openSenders.ts';

/** The parts of a drain that the start of an attempt concerns. */
export interface StartAttemptOptions {
  /** By position: how many attempts at an entry have failed, before and during this drain. */
  failedAttempts: Map<number, number>;
  parked: Pick<ParkedEntries, 'starts'>;
  failures: Pick<FailureHandler, 'started'>;
}

/** The parts of a drain that the start of a request concerns. */
export interface SendSlotOptions extends StartAttemptOptions {
  senders: Pick<OpenSenders, 'send'>;
}

/** Returns the function that sends an entry whose turn has come, as its next attempt. */
export function createSendSlot(options: SendSlotOptions): (slot: Outgoing) => void {
  const { failures, senders } = options;
  return (slot) => {
    startAttempt(options, slot);
    failures.started(slot);
    slot.body = slot.entry.body;
    senders.send(slot);
  };
}

/** Numbers the next attempt at an entry, which is about to start. */
export function startAttempt(
  { failedAttempts, parked }: Omit<StartAttemptOptions, 'failures'>,
  slot: Outgoing,
): void {
  if (slot.parked === null) {
    const before = failedAttempts.size === 0 ? 0 : failedAttempts.get(slot.position);
    slot.attempt = 1 + (before ?? 0);
  } else parked.starts(slot.parked);
}
