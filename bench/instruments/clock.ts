/** Milliseconds of the machine's monotonic clock, which is the same for all processes of the bench. */
export function clockMs(): number {
  const [seconds, nanoseconds] = process.hrtime();
  return seconds * 1_000 + nanoseconds / 1_000_000;
}
