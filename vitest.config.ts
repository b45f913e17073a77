import { defineConfig } from 'vitest/config';

import { forks } from './test/support/forks.ts';
import { Mixed } from './test/support/order.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    expect: { poll: { timeout: 60_000 } },
    globalSetup: ['test/support/servers.ts'],
    setupFiles: ['test/support/leftovers.ts'],
    pool: forks,
    isolate: false,
    maxWorkers: 5, // on 2 cores, as many tests wait
    sequence: { sequencer: Mixed },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: 'test-results.json' }]],
  },
});
