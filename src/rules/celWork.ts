import { CelFault } from './celFault.ts';

/** The steps that one evaluation may take; each is less than some 100 ns. */
export const MOST_STEPS = 500_000;

/** How deep values that are compared may be nested. */
const DEEPEST = 100;

/** Counts the steps of one evaluation, and ends it when there are too many. */
export interface Work {
  /** Begins to count anew. */
  begin(): void;
  /** Throws a CelFault once more than MOST_STEPS have been taken. */
  take(steps: number): void;
}

/** Counts from 0. */
export function createWork(): Work {
  let left = MOST_STEPS;
  return {
    begin() {
      left = MOST_STEPS;
    },
    take(steps) {
      left -= steps;
      if (left < 0) {
        throw new CelFault(
          `The evaluation took more than ${MOST_STEPS.toLocaleString('en')} steps.`,
        );
      }
    },
  };
}

/** Whether a value is an object of JSON; neither a list nor a value of CEL such as a time. */
export function isPlainObject(value: unknown): value is Record<string, unknown> {
  return (
    typeof value === 'object' && value !== null && Object.getPrototypeOf(value) === Object.prototype
  );
}

/** Whether a value is a list or an object of JSON. */
export function isNested(value: unknown): value is unknown[] | Record<string, unknown> {
  return Array.isArray(value) || isPlainObject(value);
}

/** Whether two values are equal: numbers by their value, lists in their order, objects by their fields. */
export function equalValues(a: unknown, b: unknown, work: Work, depth = 0): boolean {
  work.take(1);
  if (a === b) return true;
  if (typeof a === 'string' && typeof b === 'string') return sameText(a, b, work);
  if (isNumber(a) && isNumber(b)) return a == b; // eslint-disable-line eqeqeq -- BigInt and number
  if (typeof a !== 'object' || typeof b !== 'object' || a === null || b === null) return false;
  if (depth === DEEPEST) {
    throw new CelFault(
      `Values that are nested more than ${DEEPEST} levels deep can't be compared.`,
    );
  }
  if (Array.isArray(a) && Array.isArray(b)) {
    if (a.length !== b.length) return false;
    return a.every((value, index) => equalValues(value, b[index], work, depth + 1));
  }
  if (isPlainObject(a) && isPlainObject(b)) {
    const keys = Object.keys(a);
    work.take(keys.length * 4);
    return (
      keys.length === Object.keys(b).length &&
      keys.every((key) => Object.hasOwn(b, key) && equalValues(a[key], b[key], work, depth + 1))
    );
  }
  if (a instanceof Uint8Array && b instanceof Uint8Array) {
    work.take(a.length);
    return a.length === b.length && a.every((byte, index) => byte === b[index]);
  }
  return a.constructor === b.constructor && a.valueOf() === b.valueOf();
}

/** Whether a list has a value that is equal to the given one. */
export function hasValue(list: unknown[], value: unknown, work: Work): boolean {
  return list.some((one) => equalValues(value, one, work));
}

function sameText(a: string, b: string, work: Work): boolean {
  if (a.length !== b.length) return false;
  work.take(a.length / 64);
  return a === b;
}

function isNumber(value: unknown): value is number | bigint {
  return typeof value === 'number' || typeof value === 'bigint';
}
