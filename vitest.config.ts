import { defineConfig } from 'vitest/config';

import { Mixed } from './test/support/order.ts';

export default defineConfig({
  test: {
    include: ['test/**/*.test.ts'],
    expect: { poll: { timeout: 15_000 } },
    globalSetup: ['test/support/servers.ts'],
    pool: 'forks',
    maxWorkers: 5, // on 2 cores, as many tests wait
    sequence: { sequencer: Mixed },
    testTimeout: 120_000,
    hookTimeout: 120_000,
    reporters: ['default', ['json', { outputFile: 'test-results.json' }]],
  },
});
