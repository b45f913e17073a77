import type { ConsumerBody } from '../schema/body.ts';
import type { StreamName } from '../schema/stream.ts';
import { BodyFault } from './bodyFault.ts';
import { cutBody, keptBy } from './bodyFields.ts';
import { compileCel, CelFault, celEntry } from './cel.ts';
import { celJson } from './celJson.ts';
import { CLOUD_EVENT_TYPE, toCloudEvent } from './cloudEvent.ts';

/** How entries are written into the requests of a consumer. */
export interface BodyShape {
  contentType: string;
  /** What is sent of an entry's stored body. Throws a `BodyFault` when that can't be made. */
  of(body: string): string;
}

const JSON_TYPE = 'application/json';

/**
 * The shape of a consumer's bodies; null: each is sent as it is stored. Throws a `CelError` for an expression that can't
 * be compiled.
 */
export function bodyShape(body: ConsumerBody, stream: StreamName): BodyShape | null {
  switch (body.mode) {
    case 'full':
      return null;
    case 'thin':
      return cutting([]);
    case 'fields':
      return cutting(body.pointers);
    case 'cloudevents':
      return { contentType: CLOUD_EVENT_TYPE, of: toCloudEvent };
    case 'map':
      return mapping(body.expression, stream);
  }
}

/** Whether two settings of a consumer's body make the same bodies. */
export function isSameBody(one: ConsumerBody, other: ConsumerBody): boolean {
  return one === other || JSON.stringify(one) === JSON.stringify(other);
}

function cutting(pointers: readonly string[]): BodyShape {
  const kept = keptBy(pointers);
  return { contentType: JSON_TYPE, of: (body) => cutBody(body, kept) };
}

/** The sentence of a fault without its full stop. */
function phraseOf({ message }: CelFault): string {
  return `the expression of the body has no value: ${message.replace(/\.$/u, '')}`;
}

function mapping(expression: string, stream: StreamName): BodyShape {
  const compiled = compileCel(expression, stream);
  return {
    contentType: JSON_TYPE,
    of: (body) => {
      try {
        return celJson(compiled.evaluate(celEntry(body, stream)));
      } catch (error) {
        if (error instanceof CelFault) throw new BodyFault(phraseOf(error), { cause: error });
        throw error;
      }
    },
  };
}
