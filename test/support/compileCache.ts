import { tmpdir } from 'node:os';
import { join } from 'node:path';

/** For the environment of Node processes: what one has compiled the next one reads, which saves a third of a second. */
export const COMPILE_CACHE = { NODE_COMPILE_CACHE: join(tmpdir(), 'millrace-test-compiled') };
