import { readFileSync } from 'node:fs';

import {
  ForksPoolWorker,
  type PoolOptions,
  type PoolRunnerInitializer,
  type PoolTask,
  type WorkerRequest,
} from 'vitest/node';

/**
 * What no other file may share a process with: it replaces modules, or measures or changes the process as a whole, or
 * says `own process:` in a comment, with the reason.
 */
export const OWN_PROCESS =
  /\bvi\.(?:mock|doMock)\(|\bmonitorEventLoopDelay\b|\beventLoopUtilization\b|\bcpuMsOf\(|\bprocess\.(?:memoryUsage|cpuUsage|resourceUsage|umask)\b|\bown process:/;

/**
 * Runs test files in forks, several after one another in each. No file runs in a fork after one that failed, left
 * anything behind or needs its own process.
 */
export const forks: PoolRunnerInitializer = {
  name: 'reused-forks',
  createPoolWorker: (options) => new ReusedFork(options),
};

class ReusedFork extends ForksPoolWorker {
  override readonly name = forks.name;
  readonly #state: PoolOptions['project']['vitest']['state'];
  #ran: string[] = [];

  constructor(options: PoolOptions) {
    super(options);
    this.#state = options.project.vitest.state;
  }

  override send(message: WorkerRequest): void {
    if (message.type === 'run') this.#ran = filesOf(message);
    super.send(message);
  }

  /** Asked when its file has ended, of the file that comes next. */
  canReuse(task: PoolTask): boolean {
    const ran = this.#state.getFiles(this.#ran);
    const isClean = ({ meta, result }: (typeof ran)[number]): boolean =>
      result?.state !== 'fail' && meta.leftovers?.length === 0;
    const isReady = ran.length > 0 && ran.every(isClean);
    return isReady && ![...this.#ran, ...filesOf(task)].some(needsOwnProcess);
  }
}

function filesOf({ context }: Pick<PoolTask, 'context'>): string[] {
  return context.files.map(({ filepath }) => filepath);
}

function needsOwnProcess(file: string): boolean {
  return OWN_PROCESS.test(readFileSync(file, 'utf8'));
}
