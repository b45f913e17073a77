import type { BatchingFailures } from '../failure/failedBatches.ts';
import type { Outgoing } from '../failure/outgoing.ts';
import type { BatchDispatcherOptions } from '../flow/batchDispatcher.ts';
import type { Dispatcher } from '../flow/dispatcher.ts';
import type { BatchLandingOptions } from './batchLanding.ts';
import type { Landing } from './landing.ts';
import type { SendSlotOptions } from './sendSlot.ts';

/** What the dispatcher needs of a drain, be it one of batches or not. */
export type Flow = Omit<
  BatchDispatcherOptions<Outgoing>,
  'send' | 'limits' | 'cohorts' | 'nextOf' | 'isOver' | 'sizeOf' | 'emptyBytes' | 'window'
>;

/** The parts of a drain that requests go to and come back from, which are created after its dispatcher. */
export type Stations = Omit<BatchLandingOptions, 'cohorts' | 'failures'> & {
  landing: Landing;
  failures: BatchLandingOptions['failures'] & SendSlotOptions['failures'];
} & SendSlotOptions;

/** The way of a drain's entries into requests and back: each with a request of its own, or several with one. */
export interface Way {
  /** Creates the dispatcher; it may send nothing before `begin`. */
  dispatcher(flow: Flow): Dispatcher<Outgoing>;
  begin(stations: Stations): void;
  /** Handles the end of a request. */
  landed: Landing['ended'];
  /** What is known of failed batches; undefined: there are none. */
  readonly failures: BatchingFailures | undefined;
  /** Whether entries wait for others to be sent with. */
  gathers(): boolean;
  close(): void;
}
