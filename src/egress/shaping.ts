import { BodyFault } from '../rules/bodyFault.ts';
import type { BodyShape } from '../rules/bodyShape.ts';
import { failed, type Failed } from '../rules/outcome.ts';

/** The parts of a message that its body is made of, as in `Message`. */
interface Shapeable {
  body: string;
  bodies?: readonly string[];
  keep?(count: number): number;
}

/** What the bodies of requests with several entries may have. */
export interface BatchSize {
  /** The most bytes of a body. */
  readonly most: number;
  /** How many bytes a body has without entries, less the comma that the first one does not need. */
  readonly empty: number;
  /** How many bytes an entry adds with a comma, of which this is sent alone. */
  ofElement(body: string): number;
}

/** The time that the senders of a process together may take to make bodies before other work gets its turn. */
export interface MakingTurn {
  isOver(): boolean;
  /** Calls `run` in a later turn. */
  later(run: () => void): void;
}

export interface ShapingOptions {
  /** Makes what is sent of an entry. */
  shape: BodyShape;
  /** Makes the body of a request of what is sent of its entries; undefined: each entry goes alone, as it is made. */
  bodyOf: ((message: Pick<Shapeable, 'body' | 'bodies'>) => Buffer) | undefined;
  /** What a body of several entries may have; undefined: each entry goes alone. */
  size: BatchSize | undefined;
  /** Never over unless given. */
  turn?: MakingTurn | undefined;
}

const ENDLESS: MakingTurn = { isOver: () => false, later: (run) => void setImmediate(run) };

/**
 * Makes the bodies of requests in another shape, one entry after another. As an expression may take milliseconds for
 * each, other work gets turns in between.
 */
export interface Shaping<M extends Shapeable> {
  /**
   * Makes the body of a request, or says why there is none: immediately, or after others had their turn. Of a batch, the
   * entries go that fit; one of which no body can be made goes alone.
   */
  make(message: M, attempt: number, made: Made): void;
  /** Forgets the messages of which no body has been made yet and which `isOver` names, and returns them. */
  drop(isOver: (message: M) => boolean): M[];
  /** Of how many messages no body has been made yet. */
  readonly waiting: number;
  /** Resolves once no message waits; null: none does. */
  readonly done: Promise<void> | null;
}

/** Called with the body, or the outcome where there is none, and with the number of the attempt. */
type Made = (body: Buffer | Failed, attempt: number) => void;

interface Job<M> {
  message: M;
  attempt: number;
  made: Made;
  /** The bodies of all of its entries, in order. */
  bodies: readonly string[];
  /** What is sent of the first entries. */
  texts: string[];
  bytes: number;
}

/** Creates it without a message. */
export function createShaping<M extends Shapeable>(options: ShapingOptions): Shaping<M> {
  const { shape, bodyOf, size, turn = ENDLESS } = options;
  let jobs: Job<M>[] = [];
  let running = false;
  let later: Promise<void> | null = null;

  function run(): void {
    if (running || later !== null) return;
    running = true;
    try {
      for (let [job] = jobs; job !== undefined && !turn.isOver(); [job] = jobs) {
        const body = step(job);
        if (body === null) continue;
        jobs = jobs.filter((one) => one !== job);
        job.made(body, job.attempt);
      }
    } finally {
      running = false;
    }
    if (jobs.length > 0) runLater();
  }

  function runLater(): void {
    const next = Promise.withResolvers<void>();
    later = next.promise;
    turn.later(() => {
      later = null;
      run();
      next.resolve(done() ?? undefined);
    });
  }

  function done(): Promise<void> | null {
    return later;
  }

  /** Makes what is sent of the next entry; null: others follow. */
  function step(job: Job<M>): Buffer | Failed | null {
    const { bodies, texts } = job;
    const text = shaped(bodies[texts.length] as string, shape);
    const isMade = typeof text === 'string';
    if (bodyOf === undefined) return isMade ? Buffer.from(text) : text;
    job.bytes += isMade ? (size?.ofElement(text) ?? 0) : 0;
    const fits = texts.length === 0 ? isMade : isMade && job.bytes <= (size?.most ?? Infinity);
    if (fits) texts.push(text as string);
    else job.attempt = cutOff(job, Math.max(1, texts.length));
    if (fits && texts.length < bodies.length) return null;
    return texts.length === 0 ? (text as Failed) : bodyOf({ body: '', bodies: texts });
  }

  function cutOff({ message, bodies, ...job }: Job<M>, count: number): number {
    return bodies.length > count ? (message.keep?.(count) ?? job.attempt) : job.attempt;
  }

  return {
    make: (message, attempt, made) => {
      const { body, bodies = [body] } = message;
      jobs.push({ message, attempt, made, bodies, texts: [], bytes: size?.empty ?? 0 });
      run();
    },
    drop: (isOver) => {
      const over = jobs.filter(({ message }) => isOver(message));
      if (over.length > 0) jobs = jobs.filter((job) => !over.includes(job));
      return over.map(({ message }) => message);
    },
    get waiting() {
      return jobs.length;
    },
    get done() {
      return done();
    },
  };
}

/** What is sent of an entry; the outcome of its attempt when nothing can be made of it. */
function shaped(body: string, shape: BodyShape): string | Failed {
  try {
    return shape.of(body);
  } catch (error) {
    // What no rule foresees is a fault of the entry as well: it must not keep those behind it from being sent.
    const why = error instanceof BodyFault ? error.message : 'no body can be made of the entry';
    return failed('BODY_FAILED', why);
  }
}
