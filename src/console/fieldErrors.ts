import { ClientError, plainly } from './api.ts';

/** What the API says about a field, by a pointer into the body, including what is wrong inside the field. */
export function errorsOf(error: unknown): (pointer: string) => string | undefined {
  const errors = error instanceof ClientError ? (error.problem.errors ?? []) : [];
  return (pointer) => {
    const found = errors.find(
      (one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`),
    );
    return found === undefined ? undefined : plainly(found.detail);
  };
}
