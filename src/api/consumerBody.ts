import { bodyShape, type BodyShape } from '../rules/bodyShape.ts';
import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
import { needExpression } from './expressions.ts';

/**
 * The shape of bodies for entries of a stream; null: they are sent as they are stored. Refuses (422, at
 * `/body/expression`) an expression that can't be compiled, and says in which line and column it is wrong.
 */
export function needBody(body: ConsumerBody, stream: StreamName): BodyShape | null {
  return needExpression('/body/expression', () => bodyShape(body, stream));
}
