import { CelError } from '../rules/cel.ts';
import { ApiError } from './errors.ts';

/** Refuses (422) an expression that `compile` can't compile; the fault says in which line and column it is wrong. */
export function needExpression(pointer: string, compile: () => unknown): void {
  try {
    compile();
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const { line, column, detail } = error;
    throw new ApiError({
      status: 422,
      code: 'invalid_request',
      detail: `${pointer}, line ${line}, column ${column}: ${detail}`,
      errors: [{ pointer, detail, line, column }],
    });
  }
}
