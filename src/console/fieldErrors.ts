import { ClientError, plainly } from './api.ts';

/** What the API said of a field, by the pointer into the body; a field also shows what is wrong inside it. */
export function errorsOf(error: unknown): (pointer: string) => string | undefined {
  const errors = error instanceof ClientError ? (error.problem.errors ?? []) : [];
  return (pointer) => {
    const found = errors.find(
      (one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`),
    );
    return found === undefined ? undefined : plainly(found.detail);
  };
}
