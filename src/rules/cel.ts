import {
  type ASTNode,
  Environment,
  EvaluationError,
  ParseError,
  TypeError as CelTypeError,
} from '@marcbachmann/cel-js';

import type { StreamName } from '../schema/stream.ts';
import { notAllowed, VARIABLES } from './celAllowed.ts';
import type { CelEntry } from './celEntry.ts';
import { CelError, CelFault, placeOf } from './celFault.ts';
import { meterOf, type Meter } from './celMeter.ts';
import { addNumbers } from './celNumbers.ts';
import { celFaultSentence, celSentence } from './celSentence.ts';
import { createWork, type Work } from './celWork.ts';

export { celEntry, type CelEntry } from './celEntry.ts';
export { CelError, CelFault } from './celFault.ts';

/** The most bytes that the text of an expression may have. */
export const MOST_BYTES = 4096;

/** An expression that is ready to be evaluated. */
export interface Compiled {
  /** The type of its values as far as it is known before: `bool`, `string`, …, `computed` for a sum, or `dyn`. */
  readonly type: string;
  /**
   * The value for an entry: a string, boolean, null, number, BigInt, list or plain object, or one of the library's
   * own, such as a Date. Throws a CelFault when there is none, and when it takes more than MOST_STEPS to find it.
   */
  evaluate(entry: CelEntry): unknown;
}

/** Compiles and checks an expression over entries of a stream. Throws a CelError that says what is wrong, and where. */
export function compileCel(text: string, stream: StreamName): Compiled {
  if (new TextEncoder().encode(text).length > MOST_BYTES) {
    throw new CelError(`An expression has at most ${MOST_BYTES.toLocaleString('en')} bytes.`, {
      line: 1,
      column: 1,
    });
  }
  const { environment, work, meter } = (environments[stream] ??= prepared(stream));
  const parsed = refusing(text, stream, () => environment.parse(text));
  const fault = notAllowed(parsed.ast, stream);
  if (fault !== null) throw new CelError(fault.detail, placeOf(text, fault.index));
  const checked = parsed.check();
  if (!checked.valid) throw refusal(checked.error, text, stream);
  meter.watch(parsed.ast);
  return {
    type: typeOf(parsed.ast, checked.type),
    evaluate({ variables }) {
      work.begin();
      try {
        return parsed(variables);
      } catch (error) {
        throw faultOf(error, text);
      }
    },
  };
}

/** Of what is computed the checker knows no type where the data has a part in it, but it is true or false in no case. */
function typeOf({ op }: ASTNode, checked: string | undefined): string {
  if (checked !== undefined && checked !== 'dyn') return checked;
  if (op === '-' || op === '*' || op === '/' || op === '%' || op === '-_') return 'double';
  return op === '+' ? 'computed' : 'dyn';
}

interface Prepared {
  environment: Environment;
  work: Work;
  meter: Meter;
}

const environments: Partial<Record<StreamName, Prepared>> = {};

function prepared(stream: StreamName): Prepared {
  const environment = new Environment({
    enableOptionalTypes: true,
    homogeneousAggregateLiterals: false,
    limits: { maxAstNodes: 2_000, maxDepth: 60, maxCallArguments: 8 },
  });
  for (const name of VARIABLES[stream]) environment.registerVariable(name, 'dyn');
  addNumbers(environment);
  const work = createWork();
  return { environment, work, meter: meterOf(environment, work) };
}

function refusing<T>(text: string, stream: StreamName, parse: () => T): T {
  try {
    return parse();
  } catch (error) {
    throw refusal(error, text, stream);
  }
}

function refusal(error: unknown, text: string, stream: StreamName): unknown {
  if (!(error instanceof ParseError || error instanceof CelTypeError)) return error;
  return new CelError(
    celSentence(error, { text, variables: VARIABLES[stream] }),
    placeOf(text, error.range?.start ?? text.length),
  );
}

/**
 * An evaluation error becomes a fault that says where it happened, without values of the entry. What the library did not
 * foresee is a fault of the entry as well: no entry may keep those behind it from being sent.
 */
function faultOf(error: unknown, text: string): CelFault {
  if (error instanceof CelFault) return error;
  if (!(error instanceof EvaluationError)) {
    return new CelFault("The expression can't be evaluated on this entry.", { cause: error });
  }
  const start = error.range?.start;
  const sentence = celFaultSentence(error, text, isConstant(error.node));
  if (start === undefined) return new CelFault(sentence);
  const { line, column } = placeOf(text, start);
  return new CelFault(`${sentence.slice(0, -1)} (line ${line}, column ${column}).`);
}

/** Whether the name or the index that a node looks up is written in the expression. */
function isConstant(node: EvaluationError['node']): boolean {
  if (node === undefined || !('op' in node)) return false;
  if (node.op === '.' || node.op === '.?') return true;
  return (node.op === '[]' || node.op === '[?]') && node.args[1].op === 'value';
}
