/** What the library says about an expression: a code for programs, a summary in its own words. */
interface Said {
  code: string;
  summary: string;
}

const LONGEST = 300;

/** What is wrong with an expression, or with an evaluation of it, as a sentence for people. */
export function celSentence({ code, summary }: Said, variables: readonly string[]): string {
  const short = summary.length > LONGEST ? `${summary.slice(0, LONGEST)}…` : summary;
  return (SENTENCES[code] ?? asItIs)(short, variables);
}

/**
 * Why an evaluation has no value, as a sentence without values of the entry: failures go to places that data may not
 * reach. `isConstant` says that the name or index that was looked up is written in the expression.
 */
export function celFaultSentence(said: Said, isConstant: boolean): string {
  const withoutValues = WITH_VALUES[said.code];
  if (withoutValues === undefined || (isConstant && LOOKED_UP.has(said.code)))
    return celSentence(said, []);
  return withoutValues;
}

const LOOKED_UP = new Set(['no_such_key', 'index_out_of_bounds']);
/** For each code of the library whose summary quotes a value what is said instead. */
const WITH_VALUES: Record<string, string> = {
  no_such_key: 'There is no field of this name.',
  index_out_of_bounds: 'The index is out of bounds.',
  bool_conversion_error: 'The text can be converted to neither true nor false.',
  invalid_duration: 'The text is no duration, such as 90s or 1h30m.',
  numeric_overflow: 'The integer is too large.',
};

const SENTENCES: Record<string, (summary: string, variables: readonly string[]) => string> = {
  unknown_variable: (summary, variables) =>
    `There is no variable ${afterColon(summary)}. ${available(variables)}`,
  no_such_key: (summary) => `There is no field ${JSON.stringify(afterColon(summary))}.`,
  index_out_of_bounds: (summary) =>
    `The ${afterColon(summary).replace('index out', 'index is out')}.`,
  unexpected_character: (summary) => `${afterColon(summary)} can't be here.`,
  no_such_overload: (summary) =>
    `This operator can't be used with values of these types: ${types(afterColon(summary, 'overload'))}.`,
  no_matching_overload: (summary) => {
    const call = /'(.*)'/su.exec(summary)?.[1] ?? summary;
    return `This function can't be called with values of these types: ${types(call)}.`;
  },
  expected_token: (summary) => `${inWords(summary)}.`,
  unexpected_token: (summary) => `${inWords(summary)}.`,
  reserved_identifier: (summary) =>
    `${afterColon(summary)} is a reserved word of CEL; a field of that name is written as data["${afterColon(summary)}"].`,
  limit_exceeded: () => 'The expression is too long or nested too deeply.',
};

function asItIs(summary: string): string {
  return /[.!?…]$/u.test(summary) ? summary : `${summary}.`;
}

function available(variables: readonly string[]): string {
  return variables.length === 1
    ? `The variable of this stream is ${variables[0]}.`
    : `The variables of this stream are ${variables.join(' and ')}.`;
}

function afterColon(summary: string, word?: string): string {
  const mark = word === undefined ? ': ' : `${word}: `;
  const at = summary.indexOf(mark);
  return at < 0 ? summary : summary.slice(at + mark.length);
}

/** Types as people know them: a value of an entry is of any type until it is looked at. */
function types(text: string): string {
  return text.replaceAll(/dyn<([^<>]*(?:<[^<>]*>)?)>/gu, '$1').replaceAll(/\bdyn\b/gu, 'any');
}

const TOKENS: Record<string, string> = {
  EOF: 'the end',
  NUMBER: 'a number',
  STRING: 'a string',
  BOOLEAN: 'true or false',
  NULL: 'null',
  IDENTIFIER: 'a name',
  PLUS: '+',
  MINUS: '-',
  MULTIPLY: '*',
  DIVIDE: '/',
  MODULO: '%',
  EQ: '==',
  NE: '!=',
  LT: '<',
  LE: '<=',
  GT: '>',
  GE: '>=',
  AND: '&&',
  OR: '||',
  NOT: '!',
  IN: 'in',
  LPAREN: '(',
  RPAREN: ')',
  LBRACKET: '[',
  RBRACKET: ']',
  LBRACE: '{',
  RBRACE: '}',
  DOT: '.',
  COMMA: ',',
  COLON: ':',
  QUESTION: '?',
  BYTES: 'bytes',
};

function inWords(summary: string): string {
  return summary
    .replace('Expected ', 'Here should be ')
    .replace(', got ', ', not ')
    .replace('Unexpected token: ', 'Here should be a value, not ')
    .replaceAll(/\b[A-Z]{2,}\b/gu, (token) => TOKENS[token] ?? token);
}
