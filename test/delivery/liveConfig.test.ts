import { setImmediate as turn } from 'node:timers/promises';

import pino from 'pino';
import { expect, test } from 'vitest';

import { createLiveConfig } from '../../src/delivery/liveConfig.ts';
import type { SenderConfig } from '../../src/delivery/senderConfig.ts';

test('a configuration that ends the drain is loaded and confirmed once, however long its last request takes', async () => {
  const target = { id: 't', version: 1 };
  const config = { consumerId: 'c', version: 1, filterVersion: 1, target } as SenderConfig;
  const ofNext = { version: 2, held: true, target: { ...config.target, version: 2 } };
  const next: SenderConfig = { ...config, ...ofNext };
  const done = { loads: 0, confirmed: [] as unknown[], ends: 0 };
  const liveConfig = createLiveConfig({
    context: {
      loadConfig: () => {
        done.loads += 1;
        return Promise.resolve(next);
      },
      progress: {
        confirm: ({ version, target: taken }: { version: number; target: unknown }) => {
          done.confirmed.push({ version, taken });
          return Promise.resolve();
        },
      } as never,
      log: pino({ level: 'silent' }),
    },
    config,
    epoch: 1,
    filters: { add: () => undefined, filterFrom: 0 },
    readTo: () => 0,
    prepare: () => Promise.resolve(),
    apply: () => undefined,
    ending: { begin: () => void (done.ends += 1), concluding: false },
    inForce: () => undefined,
  });
  liveConfig.begin(true);
  liveConfig.saw({ version: 2, targetVersion: 2 });
  for (let round = 0; round < 50; round += 1) await turn();
  const confirmed = [{ version: 2, taken: { id: 't', version: 2 } }];
  expect(done).toEqual({ loads: 1, confirmed, ends: 1 });
});
