import type { ASTNode } from '@marcbachmann/cel-js';

import type { StreamName } from '../schema/stream.ts';
import { functionHabit } from './celHabits.ts';

/** The fields that an entry of each stream has, under the variable's name. */
const FIELDS: Record<StreamName, { variable: string; names: readonly string[] }> = {
  events: {
    variable: 'event',
    names: [
      'event_id',
      'event',
      'sync_id',
      'collection_id',
      'upstream_id',
      'data',
      'changes',
      'upstream_updated_at',
      'event_inserted_at',
      'position',
    ],
  },
  records: {
    variable: 'record',
    names: [
      'sync_id',
      'collection_id',
      'upstream_id',
      'version_id',
      'updated_idx',
      'data',
      'deleted',
      'upstream_created_at',
      'upstream_updated_at',
      'created_at',
      'updated_at',
    ],
  },
};

/** The variables of expressions on a stream. */
export const VARIABLES: Record<StreamName, readonly string[]> = {
  events: ['event', 'changes'],
  records: ['record'],
};

/** The functions that expressions may call; the others of CEL take a time that nothing bounds, or need bytes. */
const FUNCTIONS = new Set(
  (
    'has all exists exists_one map filter bind ' +
    'size contains startsWith endsWith indexOf lastIndexOf substring ' +
    'lowerAscii upperAscii trim split join ' +
    'string int uint double bool dyn type timestamp duration ' +
    'getDate getDayOfMonth getDayOfWeek getDayOfYear getFullYear getMonth ' +
    'getHours getMinutes getSeconds getMilliseconds ' +
    'of none or orValue hasValue value'
  ).split(' '),
);
const WITH_VARIABLE = new Set(['all', 'exists', 'exists_one', 'map', 'filter', 'bind']);

/** How deep operators, calls and lists of an expression may be nested. */
const DEEPEST = 1_000;
/** How deep lists, objects and calls alone may be nested; the library remembers the type of each. */
const DEEPEST_VALUES = 16;

/** What of a parsed expression is not allowed: the index in its text, and a sentence; null: nothing. */
export function notAllowed(
  root: ASTNode,
  stream: StreamName,
): { index: number; detail: string } | null {
  const refusal = (node: ASTNode, detail: string) => ({ index: placeOfName(node), detail });

  function visit(node: ASTNode, depth: number, values: number): ReturnType<typeof notAllowed> {
    if (depth > DEEPEST || values > DEEPEST_VALUES) {
      return refusal(node, 'The expression is nested too deeply; write it with fewer parentheses.');
    }
    const inner = isOfValues(node) ? values + 1 : values;
    const detail = faultOf(node, stream);
    if (detail !== null) return refusal(node, detail);
    for (const child of childrenOf(node)) {
      const found = visit(child, depth + 1, inner);
      if (found !== null) return found;
    }
    return null;
  }

  return visit(root, 0, 0);
}

/** Where a node is wrong: a method at its name, and not where the value of which it is called begins. */
function placeOfName(node: ASTNode): number {
  if (node.op !== 'rcall') return node.pos;
  const [name, receiver] = node.args;
  const at = node.input.indexOf(name, receiver.end);
  return at < 0 ? node.pos : at;
}

/** A chain of operators may be longer than the deepest tree, as its operands are beside each other. */
function isOfValues({ op }: ASTNode): boolean {
  return op === 'list' || op === 'map' || op === 'call' || op === 'rcall';
}

function faultOf(node: ASTNode, stream: StreamName): string | null {
  if (node.op === 'call' || node.op === 'rcall') {
    const [name] = node.args;
    const args = node.op === 'call' ? node.args[1] : node.args[2];
    return functionFault(name, args[0], stream);
  }
  if (node.op === '.' || node.op === '.?') {
    const [left, name] = node.args;
    const { variable, names } = FIELDS[stream];
    if (left.op !== 'id' || left.args !== variable || names.includes(name)) return null;
    const inData = `A field of the data is written as ${variable}.data.${name}.`;
    return `There is no ${variable}.${name}. ${inData} The fields of ${variable} are ${names.join(', ')}.`;
  }
  if (node.op === 'map') {
    const lost = node.args.find(
      ([key]) => key.op === 'value' && typeof key.args === 'string' && UNSAFE_KEYS.has(key.args),
    );
    if (lost !== undefined) return `An object can't have a field of this name: ${UNSAFE}.`;
  }
  return null;
}

function functionFault(
  name: string,
  first: ASTNode | undefined,
  stream: StreamName,
): string | null {
  if (name === 'matches') {
    return (
      'Regular expressions are not available, because nothing bounds the time that they take. ' +
      'Use startsWith, endsWith, contains, == or in.'
    );
  }
  if (!FUNCTIONS.has(name)) {
    const habit = functionHabit(name);
    if (habit !== null) return `There is no function ${name}. ${habit}.`;
    return `There is no function ${name}. The functions are ${[...FUNCTIONS].join(', ')}.`;
  }
  if (!WITH_VARIABLE.has(name) || first?.op !== 'id') return null;
  if (!VARIABLES[stream].includes(first.args)) return null;
  return `${first.args} is the entry's; give the variable of ${name} another name.`;
}

/** The library leaves fields of these names out of objects that an expression makes. */
export const UNSAFE_KEYS: ReadonlySet<unknown> = new Set(['__proto__', 'constructor', 'prototype']);
/** They, for people. */
export const UNSAFE = [...UNSAFE_KEYS].join(', ');

function childrenOf(node: ASTNode): ASTNode[] {
  switch (node.op) {
    case 'value':
    case 'id':
      return [];
    case '.':
    case '.?':
      return [node.args[0]];
    case 'call':
      return node.args[1];
    case 'rcall':
      return [node.args[1], ...node.args[2]];
    case 'map':
      return node.args.flat();
    case '!_':
    case '-_':
      return [node.args];
    default:
      return [...node.args];
  }
}
