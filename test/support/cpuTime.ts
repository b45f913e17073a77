/** Milliseconds of CPU that this thread has needed so far, however busy the machine is. */
export function threadCpuMs(): number {
  const { user, system } = process.threadCpuUsage();
  return (user + system) / 1_000;
}

/** Milliseconds of CPU that this thread needs for the work. */
export function cpuMsOf(work: () => void): number {
  const before = threadCpuMs();
  work();
  return threadCpuMs() - before;
}
