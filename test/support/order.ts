import { BaseSequencer, type TestSpecification } from 'vitest/node';

/** Files that mostly wait, for leases that run out and for schedules in real seconds; those that take longest first. */
export const WAITING = [
  'failure/day',
  'system/freeze',
  'system/chaos',
  'system/',
  'visits/kill',
  'workflows/history',
  'failure/',
  'alerts/',
  'visits/blips',
  'visits/closing',
];

/** Lets files that mostly wait begin early and beside files that compute: neither waits for the other at the end. */
export class Mixed extends BaseSequencer {
  override async sort(files: TestSpecification[]): Promise<TestSpecification[]> {
    return mix(await super.sort(files), (file) => file.moduleId);
  }
}

/** One that waits before every two others, in the order of the list; all others in the order that they came in. */
export function mix<T>(files: readonly T[], pathOf: (file: T) => string): T[] {
  const rankOf = (file: T): number =>
    WAITING.findIndex((path) => pathOf(file).includes(`/test/${path}`));
  const waiting = files
    .filter((file) => rankOf(file) >= 0)
    .toSorted((a, b) => rankOf(a) - rankOf(b));
  const others = files.filter((file) => rankOf(file) < 0);
  const mixed: T[] = [];
  while (waiting.length > 0 || others.length > 0) {
    mixed.push(...waiting.splice(0, 1), ...others.splice(0, 2));
  }
  return mixed;
}
