import { BodyFault } from '../rules/bodyFault.ts';
import type { BodyShape } from '../rules/bodyShape.ts';
import { failed, type Failed } from '../rules/outcome.ts';

/** What is sent of a body; the outcome of its attempt when nothing can be made of it. */
export function shaped(body: string, shape: BodyShape): string | Failed {
  try {
    return shape.of(body);
  } catch (error) {
    if (error instanceof BodyFault) return failed('BODY_FAILED', error.message);
    throw error;
  }
}
