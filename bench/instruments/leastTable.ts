/** The tables of the smallest program, in the installation's database, and its channel for NOTIFY. */
export const LEAST_TABLE = 'bench_least';
export const LEAST_CURSOR = 'bench_least_cursor';
export const LEAST_CHANNEL = 'bench_least';

/** The settings that its processes are started with. */
export interface LeastSettings {
  databaseUrl: string;
  endpointUrl: string;
}
