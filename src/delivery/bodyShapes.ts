import { bodyShape, type BodyShape } from '../rules/bodyShape.ts';
import { CelError } from '../rules/cel.ts';
import { CannotStart } from '../rules/startFault.ts';
import type { SenderConfig } from './senderConfig.ts';

/** The shapes of bodies, which the senders of a process share: a visited consumer is given a sender with each visit. */
export interface BodyShapes {
  /**
   * The shape of a consumer's bodies; null: they are sent as they are stored. Throws `CannotStart` when its expression
   * can't be read any more.
   */
  of(config: Pick<SenderConfig, 'body' | 'stream'>): BodyShape | null;
}

/** How many shapes are kept. */
const KEPT = 2_000;

/** Creates an empty set of them. */
export function createBodyShapes(): BodyShapes {
  const kept = new Map<string, BodyShape>();

  function of({ body, stream }: Pick<SenderConfig, 'body' | 'stream'>): BodyShape | null {
    if (body.mode === 'full') return null;
    const key = `${stream} ${JSON.stringify(body)}`;
    const known = kept.get(key);
    if (known !== undefined) return known;
    const shape = opened(() => bodyShape(body, stream));
    if (kept.size >= KEPT) kept.clear();
    if (shape !== null) kept.set(key, shape);
    return shape;
  }

  return { of };
}

function opened(open: () => BodyShape | null): BodyShape | null {
  try {
    return open();
  } catch (error) {
    if (!(error instanceof CelError)) throw error;
    const detail = `The expression of the consumer's body can't be read: save another one (${error.detail})`;
    throw new CannotStart('body_unreadable', detail, { cause: error });
  }
}
