import { BodyFault } from '../rules/bodyFault.ts';
import type { BodyShape } from '../rules/bodyShape.ts';
import { failed, type Failed } from '../rules/outcome.ts';

/** What is sent of a body; the outcome of its attempt when nothing can be made of it. */
function shaped(body: string, shape: BodyShape): string | Failed {
  try {
    return shape.of(body);
  } catch (error) {
    if (error instanceof BodyFault) return failed('BODY_FAILED', error.message);
    throw error;
  }
}

/** What is sent of a message; the outcome of its attempt when nothing can be made of one of its entries. */
export function bodyFor(
  message: { body: string; bodies?: readonly string[] },
  bodyOf: ((message: { body: string; bodies?: readonly string[] }) => Buffer) | undefined,
  shape: BodyShape | null,
): Buffer | Failed {
  if (shape === null) return bodyOf === undefined ? Buffer.from(message.body) : bodyOf(message);
  if (bodyOf === undefined) {
    const text = shaped(message.body, shape);
    return typeof text === 'string' ? Buffer.from(text) : text;
  }
  const bodies: string[] = [];
  for (const one of message.bodies ?? [message.body]) {
    const text = shaped(one, shape);
    if (typeof text !== 'string') return text;
    bodies.push(text);
  }
  return bodyOf({ body: '', bodies });
}
