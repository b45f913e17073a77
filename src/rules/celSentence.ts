import { habitAt, nameHabit } from './celHabits.ts';

/** What the library says about an expression: a code for programs, a summary in its own words, and where it is wrong. */
interface Said {
  code: string;
  summary: string;
  range?: { start: number; end: number } | undefined;
}

/** What the sentence is about. */
interface About {
  /** The expression. */
  text: string;
  /** The variables that it may use. */
  variables: readonly string[];
}

const LONGEST = 300;

/** What is wrong with an expression, or with an evaluation of it, as a sentence for people. */
export function celSentence({ code, summary, range }: Said, { text, variables }: About): string {
  const { start, end } = range ?? { start: text.length, end: text.length };
  const short = shortened(summary);
  return (SENTENCES[code] ?? asItIs)(short, { text, variables, start, end });
}

/**
 * Why an evaluation has no value, as a sentence without values of the entry: failures go to places that data may not
 * reach. `isConstant` says that the name or index that was looked up is written in the expression.
 */
export function celFaultSentence(said: Said, text: string, isConstant: boolean): string {
  const withoutValues = WITH_VALUES[said.code];
  if (withoutValues === undefined || (isConstant && LOOKED_UP.has(said.code)))
    return celSentence(said, { text, variables: [] });
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

type Place = About & { start: number; end: number };

const SENTENCES: Record<string, (summary: string, place: Place) => string> = {
  unknown_variable: (summary, { text, variables, start, end }) => {
    const name = afterColon(summary);
    const around = { before: text.slice(0, start), rest: text.slice(end) };
    const habit = nameHabit(name, { ...around, entry: variables[0] ?? '' });
    return `There is no variable ${name}. ${available(variables)}${asMore(habit)}`;
  },
  no_such_key: (summary) => {
    const name = afterColon(summary);
    const size = name === 'length' ? '; size() says how many there are' : '';
    return `There is no field ${JSON.stringify(name)}${size}.`;
  },
  index_out_of_bounds: (summary) =>
    `The list has no element with the index ${/index (-?\d+)/u.exec(summary)?.[1] ?? 'given'}.`,
  // The library names the last character of what it could not read.
  unexpected_character: (_summary, place) => `${quoted(place)} can't be here.${hint(place)}`,
  unterminated_string: (_summary, { text, start }) =>
    `The text that begins here has no ${text[start] ?? '"'} at its end.`,
  no_such_overload: (summary) => {
    const kinds = types(afterColon(summary, 'overload'));
    return `This operator can't be used with values of these types: ${kinds}${conversion(kinds)}.`;
  },
  newline_in_string: () =>
    String.raw`A text ends in the line in which it begins; write \n for a line break.`,
  invalid_macro_argument: (summary) =>
    summary.startsWith('has()')
      ? 'has takes a field, such as has(event.data.email) or has(record.data.email).'
      : asItIs(summary),
  invalid_condition_type: (summary) =>
    `What stands before ? has to be true or false, and is of this type: ${kindIn(summary)}.`,
  invalid_logical_operand: (summary) =>
    `The operators && and || take what is true or false, and not values of this type: ${kindIn(summary)}.`,
  no_matching_overload: (summary) => {
    const call = /'(.*)'/su.exec(summary)?.[1] ?? summary;
    return `This function can't be called with values of these types: ${types(call)}.`;
  },
  expected_token: (summary, place) => {
    const wanted = /^Expected (\w+)/u.exec(summary)?.[1] ?? '';
    return `${TOKENS[wanted] ?? wanted} is expected here, ${butFound(place)}.${hint(place)}`;
  },
  unexpected_token: (_summary, place) =>
    `A value is expected here, ${butFound(place)}.${hint(place)}`,
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
  return text
    .replaceAll(/dyn<([^<>]*(?:<[^<>]*>)?)>/gu, '$1')
    .replaceAll(/\bdyn\b/gu, 'any')
    .replaceAll(/\b(?:u?int|double)\b(?!\()/gu, 'number')
    .replaceAll(/\bstring\b(?!\()/gu, 'text');
}

/** The type that a summary names in quotes. */
function kindIn(summary: string): string {
  return types(/'(.*)'/su.exec(summary)?.[1] ?? 'any');
}

/** What brings values of these types together. */
function conversion(kinds: string): string {
  if (kinds.endsWith(' in text')) return '; .contains("…") finds a part of a text';
  const isBoth = /^number \S+ text$|^text \S+ number$/u.test(kinds);
  return isBoth ? '; double(…) makes a number of a text, string(…) a text of a number' : '';
}

/** Tokens that may be missing. */
const TOKENS: Record<string, string> = {
  IDENTIFIER: 'A name',
  RPAREN: '“)”',
  RBRACKET: '“]”',
  RBRACE: '“}”',
  COLON: '“:”',
};

function butFound(place: Place): string {
  return place.start === place.end ? 'but the expression ends' : `but found ${quoted(place)}`;
}

/** What stands where the expression is wrong. */
function quoted({ text, start, end }: Place): string {
  return `“${shortened(text.slice(start, end))}”`;
}

function shortened(text: string): string {
  return text.length > LONGEST ? `${text.slice(0, LONGEST)}…` : text;
}

function hint({ text, start }: Place): string {
  return asMore(habitAt(text, start));
}

function asMore(sentence: string | null): string {
  return sentence === null ? '' : ` ${sentence}.`;
}
