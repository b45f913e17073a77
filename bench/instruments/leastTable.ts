/** The tables of the least program, in the installation's database, and how it notifies. */
export const LEAST_TABLE = 'bench_least';
export const LEAST_CURSOR = 'bench_least_cursor';
export const LEAST_CHANNEL = 'bench_least';

/** How its processes are started. */
export interface LeastSettings {
  databaseUrl: string;
  endpointUrl: string;
}
