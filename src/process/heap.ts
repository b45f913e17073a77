import { totalmem } from 'node:os';
import { getHeapStatistics, setFlagsFromString } from 'node:v8';

/**
 * Lets the old generation of the heap grow by only `percent` between two collections, where V8 would let it grow
 * several times over. The garbage of a stream of entries then takes tens of MB instead of hundreds; the smaller the
 * percentage, the more time collecting takes. Call it before anything else.
 */
export function keepHeapSmall(percent: number): void {
  setFlagsFromString(`--heap-growing-percent=${percent}`);
}

const MB = 2 ** 20;
/** More does not make sending faster. */
const MOST_BYTES = 256 * MB;
/** Less could hardly hold one of the largest entries for each of the pages that are read. */
const LEAST_BYTES = 16 * MB;

/** What limits the memory of a process, in bytes. */
export interface MemoryLimits {
  heap: number;
  /** The memory of the container, or of the machine if there is none. */
  whole: number;
}

/**
 * How many bytes a worker may hold for sending unless its operator sets it: a quarter of its heap, because half
 * of them are text in the heap, and at most an eighth of the container's memory.
 */
export function sendMemoryFor({ heap, whole }: MemoryLimits): number {
  return Math.max(LEAST_BYTES, Math.min(MOST_BYTES, Math.floor(heap / 4), Math.floor(whole / 8)));
}

/** The limits of this process. */
export function memoryLimits(): MemoryLimits {
  const machine = totalmem();
  const container = process.constrainedMemory(); // 0, or more than the machine has, when there is no limit
  const whole = container > 0 ? Math.min(container, machine) : machine;
  return { heap: getHeapStatistics().heap_size_limit, whole };
}
