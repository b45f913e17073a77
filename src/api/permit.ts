import type { Permit } from '../access/permits.ts';
import { forbidden, REFUSED, unauthorized } from './auth.ts';
import { databaseAway, type ApiError } from './errors.ts';

/** The problem that ends an open answer, which a new request would get now; null while the permit holds. */
export function refusalOf({ end, scope }: Pick<Permit, 'end' | 'scope'>): ApiError | null {
  switch (end) {
    case null:
      return null;
    case 'signed-out':
      return unauthorized('This session has ended; sign in again');
    case 'forbidden':
      return forbidden(scope ?? 'read', 'the key no longer has it');
    case 'unjudged':
      return databaseAway();
    default:
      return REFUSED[end]();
  }
}

/** Throws the problem that ends the answer, unless the permit still holds. */
export function checkPermit(permit: Pick<Permit, 'end' | 'scope'>): void {
  const refusal = refusalOf(permit);
  if (refusal !== null) throw refusal;
}

/** Yields what comes until the permit ends, and then throws its problem, even while nothing comes. */
export async function* whilePermitted<T>(
  source: AsyncIterable<T>,
  permit: Permit,
): AsyncGenerator<T> {
  const { promise: ended, reject } = Promise.withResolvers<never>();
  const end = (): void => reject(refusalOf(permit));
  ended.catch(() => undefined); // it may end when nobody waits any more
  permit.signal.addEventListener('abort', end, { once: true });
  const all = source[Symbol.asyncIterator]();
  try {
    for (;;) {
      const next = all.next();
      next.catch(() => undefined); // fails when the connection is cut after the answer
      const one = await Promise.race([next, ended]);
      if (one.done === true) return;
      yield one.value;
    }
  } finally {
    permit.signal.removeEventListener('abort', end);
    all.return?.(undefined).catch(() => undefined); // it waits for the chunk that may never come
  }
}
