import { bodyShape, type BodyShape } from '../rules/bodyShape.ts';
import { CelError } from '../rules/cel.ts';
import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
import { invalid } from './validation.ts';

/**
 * The shape of bodies for entries of a stream; null: they are sent as they are stored. Refuses (422, at
 * `/body/expression`) an expression that can't be compiled.
 */
export function needBody(body: ConsumerBody, stream: StreamName): BodyShape | null {
  try {
    return bodyShape(body, stream);
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const detail = `has a fault in line ${error.line}, column ${error.column}: ${error.detail}`;
    throw invalid('json', [{ pointer: '/body/expression', detail }]);
  }
}
