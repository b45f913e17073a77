import { EvaluationError, type Environment } from '@marcbachmann/cel-js';

import { UNSAFE, UNSAFE_KEYS } from './celAllowed.ts';
import { CelFault } from './celFault.ts';
import { equalValues, hasValue, isNested, isPlainObject, type Work } from './celWork.ts';

/**
 * What the library's evaluator calls for each node of an expression. The types of the library don't name it; macros
 * are handed it. test/rules/celLimits.test.ts fails where another version of the library evaluates in another way.
 */
interface Evaluator {
  run(node: Node, context: unknown): unknown;
  tryEval(node: Node, context: unknown): unknown;
  debugType(value: unknown): unknown;
  debugTypeDeep(value: unknown): unknown;
  mapType: unknown;
}

/** A node of an expression after the check, which has given those with operands their `handle`. */
interface Node {
  op: string;
  args: unknown;
  meta: { alternate?: Node };
  evaluate(evaluator: Evaluator, node: Node, context: unknown): unknown;
  handle?: Handle;
  metered?: boolean;
  /** Whether it gives the name of a field of an object that the expression makes. */
  isKey?: boolean;
}

type Handle = (...given: never[]) => unknown;
type Operation = (left: unknown, right: unknown, ...rest: unknown[]) => unknown;
type Call = (args: unknown[], ...rest: unknown[]) => unknown;

/** Counts what evaluations in an environment cost. */
export interface Meter {
  /** Counts what an expression that has been checked costs from now on. */
  watch(root: unknown): void;
}

/** An error takes as long as that many other steps: it finds its place in the text. */
const STEPS_OF_ERROR = 200;
/** The names of the fields of a large object are looked up one by one. */
const STEPS_OF_NAME = 10;
/** What a call takes besides the size of its arguments: calendars of time zones take microseconds. */
const STEPS_OF_CALL: Record<string, number> = { duration: 20, timestamp: 10 };
const STEPS_OF_TIME_ZONE = 5_000;
const LONGEST_DURATION = 64;

/**
 * Makes all evaluations in an environment count their work: each node, and for operations on texts, lists and objects
 * their size. Values are told apart by their prototype, so that a field named `constructor` is one like others, and
 * by their outermost type alone, so that no data makes the library remember types of its shape.
 */
export function meterOf(environment: Environment, work: Work): Meter {
  const evaluator = evaluatorOf(environment);
  const { debugType } = evaluator;
  evaluator.debugType = (value) =>
    isPlainObject(value) ? evaluator.mapType : debugType.call(evaluator, value);
  evaluator.debugTypeDeep = evaluator.debugType;
  evaluator.run = (node, context) => {
    work.take(1);
    if (node.metered !== true) meter(node, work);
    const value = node.evaluate(evaluator, node, context);
    if (node.isKey === true) needKey(value, node);
    return value;
  };
  evaluator.tryEval = (node, context) => {
    try {
      return evaluator.run(node, context);
    } catch (error) {
      if (!(error instanceof EvaluationError)) throw error;
      work.take(STEPS_OF_ERROR);
      return error;
    }
  };
  return { watch: (root) => meter(root as Node, work) };
}

/** The library hands its evaluator to macros alone. */
function evaluatorOf(environment: Environment): Evaluator {
  let found: Evaluator | undefined;
  environment.registerFunction('evaluatorOfMillrace(ast): bool', () => ({
    typeCheck: (checker: { getType(name: string): unknown }) => checker.getType('bool'),
    evaluate(evaluator: Evaluator) {
      found = evaluator;
      return true;
    },
  }));
  environment.evaluate('evaluatorOfMillrace(true)');
  if (found === undefined) throw new Error('cel-js did not hand out its evaluator');
  return found;
}

function meter(node: Node, work: Work): void {
  node.metered = true;
  if (node.meta.alternate !== undefined) meter(node.meta.alternate, work);
  if (node.op === 'map') for (const [key] of node.args as [Node, Node][]) key.isKey = true;
  const { handle } = node;
  if (handle === undefined) return;
  const metered = HANDLES[node.op]?.(handle as never, work, node);
  if (metered !== undefined) node.handle = metered as Handle;
}

/** For each kind of node, what it does instead of what the library does, with its work counted. */
const HANDLES: Record<string, (handle: never, work: Work, node: Node) => unknown> = {
  '==': equality(true),
  '!=': equality(false),
  in: (inner: Operation, work: Work, node: Node): Operation => {
    return (value, list, ...rest) => {
      if (Array.isArray(list)) return hasValue(list, value, work);
      if (isNested(value) && isPlainObject(list)) throw noKey(node);
      return inner(value, list, ...rest);
    };
  },
  '+': sized(16, 1),
  '-': sized(16, 1),
  '<': sized(64, 1),
  '<=': sized(64, 1),
  '>': sized(64, 1),
  '>=': sized(64, 1),
  '.': field,
  '[]': (inner: Operation, work: Work, node: Node): Operation => {
    const operation = field(inner, work, node);
    return (left, right, ...rest) => {
      if (isNested(right)) throw noKey(node);
      return operation(left, right, ...rest);
    };
  },
  '[?]': (inner: Operation, work: Work, node: Node): Operation => {
    return (left, right, ...rest) => {
      if (isNested(right)) throw noKey(node);
      // The library makes an error of an index beyond the end, and takes it back.
      if (Array.isArray(left)) work.take(STEPS_OF_ERROR);
      return inner(left, right, ...rest);
    };
  },
  call: called,
  rcall: called,
  comprehension: (inner: Operation, work: Work): Operation => {
    return (items, ...rest) => {
      if (!isPlainObject(items)) return (inner as Call)(items as unknown[], ...rest);
      const keys = Object.keys(items);
      work.take(keys.length * STEPS_OF_NAME);
      return (inner as Call)(keys, ...rest);
    };
  },
};

function equality(equal: boolean) {
  return (inner: Operation, work: Work): Operation =>
    (left, right, ...rest) => {
      if (isNested(left) && isNested(right)) return equalValues(left, right, work) === equal;
      if (typeof left === 'string') work.take(left.length / 64);
      return inner(left, right, ...rest);
    };
}

function sized(perText: number, perList: number) {
  return (inner: Operation, work: Work, node: Node): Operation =>
    (left, right, ...rest) => {
      for (const one of [left, right]) {
        if (typeof one === 'string') work.take(one.length / perText);
        else if (Array.isArray(one)) work.take(one.length / perList);
      }
      try {
        return inner(left, right, ...rest);
      } catch (error) {
        throw ofTheEntry(error, node, 'This');
      }
    };
}

/** Throws unless a value can name a field of an object that an expression makes. */
function needKey(value: unknown, node: Node): void {
  if (isNested(value)) throw noKey(node);
  if (!UNSAFE_KEYS.has(value)) return;
  const message = `An object can't have a field of this name: ${UNSAFE}`;
  throw new EvaluationError({ code: 'no_key', message, node: node as never });
}

/** A list or an object would become a text, as long as all that is in it, to be looked up. */
function noKey(node: Node): EvaluationError {
  return new EvaluationError({
    code: 'no_key',
    message: 'The name of a field is a text; a list or an object is none',
    node: node as never,
  });
}

/** What JavaScript itself refuses, such as an unknown time zone, is a fault of the evaluation like any other. */
function ofTheEntry(error: unknown, node: Node, what: string): unknown {
  if (!(error instanceof RangeError || error instanceof TypeError)) return error;
  return new EvaluationError({
    code: 'not_computable',
    message: `${what} can't be computed of these values, such as an unknown time zone or a time that no calendar has`,
    node: node as never,
  });
}

function field(inner: Operation, _work: Work, node: Node): Operation {
  return (left, right, ...rest) => {
    if (!isPlainObject(left)) return inner(left, right, ...rest);
    const name = right as string;
    if (Object.hasOwn(left, name)) return left[name];
    throw new EvaluationError({
      code: 'no_such_key',
      message: `No such key: ${name}`,
      node: node as never,
    });
  };
}

function called(inner: Call, work: Work, node: Node): Call {
  const name = (node.args as [string])[0];
  return (args, ...rest) => {
    take(name, args, work);
    let result: unknown;
    try {
      result = inner(args, ...rest);
    } catch (error) {
      throw ofTheEntry(error, node, name);
    }
    if (Array.isArray(result)) work.take(result.length);
    else if (typeof result === 'string') work.take(result.length / 16);
    return result;
  };
}

/** Counts a call before it is made, by the size of its arguments; a receiver is the first of them. */
function take(name: string, args: unknown[], work: Work): void {
  work.take(STEPS_OF_CALL[name] ?? 0);
  const [first, second] = args;
  if (name === 'startsWith' || name === 'endsWith') {
    if (typeof second === 'string') work.take(second.length / 64);
    return;
  }
  if (name === 'duration' && typeof first === 'string' && first.length > LONGEST_DURATION) {
    throw new CelFault(`A duration has at most ${LONGEST_DURATION} characters.`);
  }
  for (const one of args) {
    if (typeof one === 'string') work.take(one.length / 8);
    else if (Array.isArray(one) && name === 'join') takeJoined(one, second, work);
    else if (isPlainObject(one)) work.take(Object.keys(one).length * STEPS_OF_NAME);
  }
  if (typeof second !== 'string') return;
  // A search compares each character of one text with each of the other one, at worst.
  if (typeof first === 'string') work.take((first.length * second.length) / 64);
  else if (name.startsWith('get')) work.take(STEPS_OF_TIME_ZONE);
}

/** Counts the text that a list is joined to before it is made, as its parts may be the same one again and again. */
function takeJoined(list: readonly unknown[], separator: unknown, work: Work): void {
  const between = typeof separator === 'string' ? separator.length : 0;
  work.take(list.length * (1 + between / 16));
  for (const text of list) if (typeof text === 'string') work.take(text.length / 16);
}
