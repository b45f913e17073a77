import type { ConsumerSnapshot } from '../../src/consumers/consumerSnapshot.ts';

/** An active consumer as its workflow knows it. */
export const ACTIVE: ConsumerSnapshot = {
  stream: 'events',
  status: 'active',
  statusReason: null,
  version: 1,
  filterVersion: 1,
  name: 'test',
  targetName: 'receiver',
  targetHost: 'example.com',
  path: '/',
  position: 5,
  lastPosition: 9,
  idle: false,
  failingSince: null,
  nextAttemptAt: null,
  attempt: 0,
  lastFailure: null,
  warned: false,
  parkedDueAt: null,
  deleted: false,
};
