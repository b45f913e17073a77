import { ClientError, plainly } from './api.ts';

/** The API's message about a field, by a pointer into the body, including messages about parts of the field. */
export function errorsOf(error: unknown): (pointer: string) => string | undefined {
  const errors = error instanceof ClientError ? (error.problem.errors ?? []) : [];
  return (pointer) => {
    const found = errors.find(
      (one) => one.pointer === pointer || one.pointer.startsWith(`${pointer}/`),
    );
    return found === undefined ? undefined : plainly(found.detail);
  };
}
