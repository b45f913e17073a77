import { CelError } from '../rules/cel.ts';
import { ApiError } from './errors.ts';

/** What `compile` returns; refuses (422) an expression that it can't compile: the fault says in which line and column it is wrong. */
export function needExpression<T>(pointer: string, compile: () => T): T {
  try {
    return compile();
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
