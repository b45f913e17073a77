import type { Outgoing } from '../failure/outgoing.ts';
import { addSuccess, deliveredAttempt, emptyBatch } from '../progress/attemptLog.ts';
import type { AttemptRow, Batch } from '../progress/senderOutcomes.ts';
import type { Delivered } from '../rules/outcome.ts';
import type { StreamName } from '../schema/stream.ts';

const NOTHING: Batch = emptyBatch();
const NONE: AttemptRow[] = [];

/** The successes of one quiet sender that have not been handed over to be stored; all of them are first attempts. */
export class SuccessLog {
  readonly #stream: StreamName;
  #batch: Batch = NOTHING;
  #traced: AttemptRow[] = NONE;

  constructor(stream: StreamName) {
    this.#stream = stream;
  }

  get isEmpty(): boolean {
    return this.#batch === NOTHING && this.#traced === NONE;
  }

  /** Logs a success that started at `at` (unix ms) and took `ms`. */
  add(
    { position, messageId, attempt }: Outgoing,
    outcome: Delivered,
    at: number,
    ms: number,
  ): void {
    if (outcome.trace === undefined) {
      if (this.#batch === NOTHING) this.#batch = emptyBatch();
      addSuccess(this.#batch, position, at, ms, outcome.status);
      return;
    }
    const ended = { position, messageId, attempt, startedAt: at, durationMs: ms };
    this.#traced = [...this.#traced, deliveredAttempt(this.#stream, ended, outcome)];
  }

  /** Takes what has been logged: traced successes as rows, the rest as columns. */
  take(): { batch: Batch; attempts: AttemptRow[] } {
    const taken = { batch: this.#batch, attempts: this.#traced };
    this.#batch = NOTHING;
    this.#traced = NONE;
    return taken;
  }
}
