import { startDrain } from '../delivery/drain.ts';
import type { Drain, DrainContext, LaneLease } from '../delivery/drainContext.ts';
import type { DrainEnd, EndReason } from '../delivery/ending.ts';
import { createFilterStack, type FilterStack } from '../delivery/filterStack.ts';
import type { SenderConfig } from '../delivery/senderConfig.ts';
import type { WebhookSender } from '../egress/webhookSender.ts';
import { addWaits, firstAttempt, type Outgoing } from '../failure/outgoing.ts';
import type { Committing } from '../progress/committer.ts';
import { LEASE_MARGIN_MS, type Lease } from '../progress/lease.ts';
import type { Progress } from '../progress/progress.ts';
import type { Committed, SenderOutcomes } from '../progress/senderOutcomes.ts';
import type { Outcome } from '../rules/outcome.ts';
import { withBegun } from './begunEntry.ts';
import { Inheritance } from './inheritance.ts';
import { SuccessLog } from './successLog.ts';
import { takenOver } from './takenOver.ts';
import { WaitingEntries } from './waitingEntries.ts';

/** What a quiet sender begins with. */
export interface QuietSenderOptions {
  context: DrainContext & { laneLease: LaneLease };
  config: SenderConfig;
  /** Whether the last sender has confirmed the same configuration. */
  isConfirmed: boolean;
  /** Must be a lease under which nothing fails or is parked, and nothing is settled above the position. */
  lease: Lease;
  /** How long the visit goes on after the last entry, ms. */
  lingerMs: number;
  /** Called when it no longer rests. */
  stirred: () => void;
}

/** How often the position is stored while no matching entry comes, ms. */
const STORED_MS = 60_000;
/**
 * How long outcomes wait for those of other consumers, ms, so that one commit stores many. After a crash,
 * everything that was sent in this time is sent again.
 */
const COMMIT_MS = 100;
const JOINING = { isOfLane: true, everyMs: STORED_MS, withinMs: COMMIT_MS };
const NONE: never[] = [];
const NOT_CONFIRMED = 'a configuration could not be confirmed; a drain tries again';

/**
 * The sender of one quiet consumer. There may be ten thousand of them, so it sends one entry at a time and
 * costs little more than its requests. As long as each request succeeds, a visit needs nothing else. When
 * anything else happens (a failure, an edit, more than a few entries, entries that are not in memory), the
 * engine of a drain takes over: under the same lease, with the request that has begun.
 */
export class QuietSender implements Drain, Committing {
  readonly consumerId: string;
  readonly #context: QuietSenderOptions['context'];
  readonly #lingerMs: number;
  readonly #stirred: () => void;
  readonly #config: SenderConfig;
  readonly #lease: Lease;
  readonly #filters: FilterStack;
  readonly #sender: WebhookSender<Outgoing>;
  readonly #unfollow: () => void;
  readonly #end = Promise.withResolvers<DrainEnd>();
  readonly #again = (): void => this.#look(0);
  readonly #leaseStartBy = (): number => this.#context.laneLease.until - LEASE_MARGIN_MS;
  /** The open request is that of the first entry. */
  readonly #waiting: WaitingEntries;
  #slot: Outgoing | null = null;
  readonly #successes: SuccessLog;
  #isStoring = false;
  /** The position that was stored last. */
  #handedOver: number;
  #settledCount = 0;
  #reason: EndReason | null = null;
  #isConfirmed: boolean;
  #isConcluding = false;
  #isOver = false;
  /** Set once a drain is about to take over. */
  #inheritance: Inheritance | null = null;
  #drain: Drain | null = null;

  /** Begins to send. Throws `CannotStart` when the target or the path can't be used. */
  constructor(options: QuietSenderOptions) {
    const { context, config, lease } = options;
    this.consumerId = config.consumerId;
    this.#context = context;
    this.#lingerMs = options.lingerMs;
    this.#stirred = options.stirred;
    this.#isConfirmed = options.isConfirmed;
    this.#config = config;
    this.#lease = lease;
    this.#successes = new SuccessLog(config.stream);
    this.#handedOver = lease.position;
    const conditions = context.conditions.of(config);
    this.#filters = createFilterStack(config.filters, lease.position, conditions);
    this.#sender = context.openSender(
      config,
      (...ended) => this.#ended(...ended),
      (slot) => this.#inheritance?.startBy(slot) ?? this.#leaseStartBy(),
    );
    const tail = context.tails[config.stream];
    this.#waiting = new WaitingEntries({
      tail,
      filters: this.#filters,
      memory: context.budget.bytes,
      turn: context.conditions.turn,
      position: lease.position,
      again: this.#again,
    });
    context.committer.join(this, JOINING);
    const { syncs, collections } = this.#filters;
    this.#unfollow = tail.follow((before) => this.#look(before), syncs, collections);
    if (!options.isConfirmed) void this.#confirm();
    this.#look(0);
  }

  get ended(): Promise<DrainEnd> {
    return this.#end.promise;
  }

  get settledCount(): number {
    return this.#settledCount + (this.#drain?.settledCount ?? 0);
  }

  get position(): number {
    return this.#drain?.position ?? this.#waiting.position;
  }

  get quietSince(): number | null {
    if (this.#drain !== null) return this.#drain.quietSince;
    return this.#isBusy() ? null : this.#waiting.lastMatchAt;
  }

  get isFailing(): boolean {
    return this.#drain?.isFailing ?? false;
  }

  get restsUntil(): number {
    if (this.#drain !== null) return this.#drain.restsUntil;
    return this.#isBusy() ? -Infinity : this.#waiting.lastMatchAt + this.#lingerMs;
  }

  tick(now: number): void {
    try {
      if (this.#drain === null) this.#tick(now);
      else this.#drain.tick(now);
    } catch (error) {
      this.#fail(error);
    }
  }

  #tick(now: number): void {
    if (this.#slot !== null) {
      this.#sender.sweep(now);
      if (now > this.#leaseStartBy()) this.#sender.cut();
    } else if (this.#waiting.first !== undefined) this.#next();
    else if (this.#isBusy()) this.#look(0); // another sender may have been notified of the free memory
    else if (now - this.#waiting.lastMatchAt >= this.#lingerMs) this.stop('idle');
  }

  stop(reason: 'yielded' | 'changed' | 'idle'): void {
    if (this.#drain !== null) {
      this.#drain.stop(reason);
      return;
    }
    this.#reason ??= reason;
    this.#stirred();
    if (this.#slot === null) void this.#conclude();
  }

  toStore(): SenderOutcomes {
    const { consumerId } = this;
    this.#waiting.passBy();
    const logged = this.#successes.take();
    this.#isStoring = true;
    const position = this.#waiting.position;
    this.#handedOver = position;
    return { consumerId, epoch: this.#lease.epoch, position, ahead: NONE, ...logged, parked: null };
  }

  stored({ version, targetVersion }: Committed): void {
    this.#isStoring = false;
    if (this.#reason !== null || this.#inheritance !== null) return;
    const { target, version: taken } = this.#config;
    if (version > taken || targetVersion !== target.version) this.#becomeDrain();
    else this.#next();
  }

  fenced(): void {
    this.#reason = 'fenced';
    this.#leave();
    this.#sender.cut();
    this.#end.resolve(this.#endedAs('fenced'));
  }

  broken(error: Error): void {
    this.#fail(error);
  }

  #isBusy(): boolean {
    if (this.#reason !== null || this.#inheritance !== null) return true;
    return !this.#waiting.isDone;
  }

  /** Looks for entries in the tail, which had come to `before` when it last called this sender or did not need to. */
  #look(before: number): void {
    if (this.#reason !== null || this.#inheritance !== null) {
      this.#waiting.miss(); // the next sender looks for it
      return;
    }
    try {
      if (!this.#waiting.look(before)) this.#becomeDrain();
      else if (this.#waiting.first !== undefined) {
        this.#stirred();
        this.#next();
      }
    } catch (error) {
      this.#fail(error);
    }
  }

  /** Sends the next entry, if it may be sent now. */
  #next(): void {
    const { committer, budget } = this.#context;
    while (this.#slot === null && this.#reason === null && this.#inheritance === null) {
      const entry = this.#waiting.first;
      if (entry === undefined) return;
      if (entry.superseded) this.#waiting.settle();
      else if (!committer.healthy || performance.now() >= this.#leaseStartBy()) return;
      else if (budget.requests.room(0) < 1) {
        budget.requests.wait(this.#again);
        return;
      } else {
        budget.requests.take(1);
        this.#slot = firstAttempt(entry, Math.trunc(this.#waiting.firstReadAt));
        this.#sender.send(this.#slot, 1);
      }
    }
  }

  #ended(slot: Outgoing, outcome: Outcome, at: number, ms: number, mono: number): void {
    try {
      const isMine = this.#drain === null && outcome.kind === 'delivered';
      if (this.#inheritance === null || isMine) this.#landed(slot, outcome, at, ms, mono);
      else this.#inheritance.ended(slot, outcome, at, ms, mono);
    } catch (error) {
      this.#fail(error);
    }
  }

  #landed(slot: Outgoing, outcome: Outcome, at: number, ms: number, mono: number): void {
    if (this.#isOver) return;
    addWaits(slot, outcome, mono);
    if (outcome.kind !== 'delivered') {
      this.#becomeDrain();
      this.#inheritance?.ended(slot, outcome, at, ms, mono);
      return;
    }
    this.#slot = null;
    this.#inheritance?.isSettled();
    this.#successes.add(slot, outcome, at, ms);
    this.#waiting.settle();
    this.#settledCount += 1;
    this.#context.committer.mark(this);
    this.#context.budget.requests.take(-1);
    if (this.#reason !== null) void this.#conclude();
    else if (this.#waiting.isBehind) this.#look(0);
    else this.#next();
  }

  /** Confirms the configuration; if that fails, a drain tries again. */
  async #confirm(): Promise<void> {
    const { consumerId, version, filterVersion, target } = this.#config;
    const { filterFrom } = this.#filters;
    const { epoch } = this.#lease;
    const taken = { consumerId, epoch, version, filterVersion, filterFrom };
    try {
      await this.#context.progress.confirm({
        ...taken,
        target: { id: target.id, version: target.version },
      });
      this.#isConfirmed = true;
    } catch (error) {
      this.#context.log.warn({ err: error, consumer_id: consumerId }, NOT_CONFIRMED);
      this.#becomeDrain();
    }
  }

  /** Lets a drain take over, with the open request. The drain begins when settled entries are stored. */
  #becomeDrain(): void {
    if (this.#isOver || this.#isConcluding || this.#inheritance !== null) return;
    this.#inheritance = new Inheritance(this.#sender, this.#slot, this.#leaseStartBy);
    this.#stirred();
    void this.#passOn(this.#inheritance);
  }

  async #passOn(inheritance: Inheritance): Promise<void> {
    try {
      do {
        await this.#untilStored();
        if (this.#reason !== null) await inheritance.over;
      } while (!this.#isOver && !this.#successes.isEmpty);
      if (this.#isOver) return;
      const { openSender } = this.#context;
      let isFirst = true;
      const lease = {
        ...this.#lease,
        position: this.#waiting.position,
        ramp: inheritance.hasFailed, // the drain learns of it before it sends anything else
      };
      this.#letGo();
      const drain = startDrain({
        context: {
          ...this.#context,
          progress: this.#releasingAfter(inheritance),
          tails: withBegun(this.#context.tails, this.#config.stream, this.#slot),
          openSender: (config, landed, startBy) => {
            if (!isFirst) return inheritance.ahead(openSender(config, landed, startBy), startBy);
            isFirst = false;
            return inheritance.takenBy(landed, startBy);
          },
        },
        config: this.#config,
        lease,
        leaseUntil: this.#context.laneLease.until,
        failedAttempts: new Map(),
        parkedRows: [],
        nowMs: this.#context.now,
        isConfirmed: this.#isConfirmed,
        stirred: this.#stirred,
      });
      this.#drain = takenOver(drain, inheritance, this.#stirred);
      this.#end.resolve(drain.ended);
      if (this.#reason !== null) this.stop(this.#reason as 'yielded');
    } catch (error) {
      this.#fail(error);
    }
  }

  /** The progress that the drain uses: it keeps the lease as long as the request is open. */
  #releasingAfter(inheritance: Inheritance): Progress {
    const { progress } = this.#context;
    return {
      ...progress,
      release: async (released) => {
        await inheritance.over;
        return progress.release(released);
      },
    };
  }

  /** Stores what is settled, and releases the lease. */
  async #conclude(): Promise<void> {
    if (this.#isOver || this.#isConcluding || this.#inheritance !== null) return;
    this.#isConcluding = true;
    try {
      this.#waiting.passBy();
      if (this.#waiting.position !== this.#handedOver) await this.#context.committer.flush(this);
      else await this.#untilStored();
      if (this.#isOver) return;
      const reason = this.#reason ?? 'yielded';
      const released = { consumerId: this.consumerId, epoch: this.#lease.epoch, head: null };
      await this.#context.progress.release({ ...released, idle: reason === 'idle' });
      this.#leave();
      this.#end.resolve(this.#endedAs(reason));
    } catch (error) {
      this.#fail(error);
    }
  }

  async #untilStored(): Promise<void> {
    if (!this.#successes.isEmpty || this.#isStoring) await this.#context.committer.flush(this);
  }

  #endedAs(reason: EndReason): DrainEnd {
    return { reason, position: this.#waiting.position, head: null, parkedDueAt: null };
  }

  #fail(error: unknown): void {
    this.#leave();
    this.#sender.cut();
    this.#end.reject(error);
  }

  #leave(): void {
    if (this.#isOver) return;
    this.#isOver = true;
    this.#reason ??= 'yielded';
    if (this.#drain !== null) return;
    this.#letGo();
    this.#sender.close().catch((error: unknown) => {
      this.#context.log.warn({ err: error }, 'connections did not close cleanly');
    });
  }

  /** Gives back the resources of the process that it holds, apart from its connections. */
  #letGo(): void {
    this.#context.committer.leave(this);
    this.#unfollow();
    this.#waiting.letGo();
    if (this.#slot !== null) this.#context.budget.requests.take(-1);
  }
}
