// expressions over entries: what they give, and how a wrong one is explained
import { expect, test } from 'vitest';

import { celEntry, CelError, CelFault, compileCel } from '../../src/rules/cel.ts';
import { StreamEvent, StreamRecord, type StreamName } from '../../src/schema/stream.ts';

/** The value of an expression for an event with the given data, which is JSON text. */
function valueOf(text: string, data = '{}', changes = 'null'): unknown {
  return compileCel(text, 'events').evaluate(eventOf(data, changes));
}

function eventOf(data: string, changes = 'null') {
  return celEntry(
    `{"event":{"event_id":"e1","event":"updated","sync_id":"s1","collection_id":"shop:order",` +
      `"upstream_id":"o1","data":${data},"changes":${changes},"upstream_updated_at":null,` +
      `"event_inserted_at":"2026-11-28T14:14:54.549977Z","position":7}}`,
    'events',
  );
}

test('an expression sees the fields of an event, its data and its changes', () => {
  const data = '{"amount":150,"tags":["vip"],"note":null}';
  expect(valueOf('event.data.amount > 100 && "vip" in event.data.tags', data)).toBe(true);
  expect(valueOf('event.collection_id == "shop:order" && event.position == 7')).toBe(true);
  expect(valueOf('event.data.note == null', data)).toBe(true);
  expect(valueOf('changes != null && "total" in changes', '{}', '{"total":3}')).toBe(true);
  expect(valueOf('changes == null')).toBe(true);
});

test('an expression sees the fields of a record', () => {
  const record = celEntry(
    '{"record":{"sync_id":"s1","data":{"a":[1,2]},"deleted":false}}',
    'records',
  );
  const value = compileCel('!record.deleted && record.data.a[1] == 2', 'records').evaluate(record);
  expect(value).toBe(true);
});

test.each([
  ['event.data.n == 100', '100', true],
  ['event.data.n == 100', '100.0', true],
  ['event.data.n == 100', '1e2', true],
  ['event.data.n > 100', '100.5', true],
  ['event.data.n in [1, 2]', '2', true],
  ['event.data.n * 2 + 1 == 201', '100', true],
  ['event.data.n % 2 == 1', '7', true],
  ['event.data.n / 2 == 3.5', '7', true],
  ['event.data.n == 9007199254740993', '9007199254740993', true],
  ['event.data.n == 9007199254740993', '9007199254740992', false],
  ['event.data.n > 9007199254740992', '9007199254740993', true],
  ['event.data.n in [9007199254740992]', '9007199254740993', false],
  ['event.data.n == -9223372036854775809', '-9223372036854775809', true],
  ['event.data.n > 5', '123456789012345678901234567890', true],
  ['event.data.n == 5', '"5"', false],
])('%s with %s as n is %s', (text, n, expected) => {
  expect(valueOf(text, `{"n":${n}}`)).toBe(expected);
});

test('integers beyond 2^53 stay exact in an entry that has names with escapes', () => {
  const data = String.raw`{"\n":9007199254740993,"\\":1,"list":[12345678901234567890]}`;
  expect(valueOf(String.raw`event.data["\n"] == 9007199254740993`, data)).toBe(true);
  expect(valueOf('12345678901234567890 in event.data.list', data)).toBe(true);
});

test('names that mean something to JavaScript are fields like others', () => {
  const data = '{"constructor":"x","__proto__":{"a":1},"toString":2}';
  expect(valueOf('event.data.constructor == "x"', data)).toBe(true);
  expect(valueOf('event.data.toString == 2 && "constructor" in event.data', data)).toBe(true);
  expect(valueOf('has(event.data.hasOwnProperty)', data)).toBe(false);
  expect(valueOf('event.data == event.data && event.data.size() == 3', data)).toBe(true);
});

test('what may be missing is asked for by has, .? and in', () => {
  expect(valueOf('has(event.data.vip) && event.data.vip')).toBe(false);
  expect(valueOf('event.data.?vip.orValue(false)')).toBe(false);
  expect(valueOf('event.data.?a.?b.orValue(3) == 3', '{"a":{}}')).toBe(true);
  expect(valueOf('event.data.a > 1 || event.data.b == 2', '{"b":2}')).toBe(true);
});

test('an expression may give any value', () => {
  expect(valueOf('{"text": event.data.name, "n": 1}', '{"name":"Ada"}')).toEqual({
    text: 'Ada',
    n: 1n,
  });
  expect(
    valueOf('event.data.items.filter(i, i.p > 1).map(i, i.p)', '{"items":[{"p":1},{"p":5}]}'),
  ).toEqual([5]);
});

test.each([
  ['event.data.total > 1', '{}', 'There is no field "total" (line 1, column 12).'],
  [
    'event.data.n > "x"',
    '{"n":1}',
    "This operator can't be used with values of these types: number > text; double(…) makes a number of a text, string(…) a text of a number (line 1, column 1).",
  ],
  [
    'event.data.vip && true',
    '{"vip":"yes"}',
    'The operators && and || take what is true or false, and not values of this type: text (line 1, column 12).',
  ],
  [
    'event.data.vip ? true : false',
    '{"vip":"yes"}',
    'What stands before ? has to be true or false, and is of this type: text (line 1, column 12).',
  ],
  [
    'event.data.tags.length > 1',
    '{"tags":[]}',
    'There is no field "length"; size() says how many there are (line 1, column 17).',
  ],
  [
    'event.data.l[0] == 1',
    '{"l":[]}',
    'The list has no element with the index 0 (line 1, column 1).',
  ],
  [
    'true &&\n  event.data.l[3] == 1',
    '{"l":[1]}',
    'The list has no element with the index 3 (line 2, column 3).',
  ],
  // Values of the entry are not quoted.
  [
    'bool(event.data.s)',
    '{"s":"secret"}',
    'The text can be converted to neither true nor false (line 1, column 1).',
  ],
  [
    'duration(event.data.s) == duration("1s")',
    '{"s":"secret"}',
    'The text is no duration, such as 90s or 1h30m (line 1, column 1).',
  ],
  [
    'event.data.m[event.data.s] == 1',
    '{"m":{},"s":"secret"}',
    'There is no field of this name (line 1, column 1).',
  ],
  ['event.data.m["key"] == 1', '{"m":{}}', 'There is no field "key" (line 1, column 1).'],
  [
    'event.data.l[event.data.n] == 1',
    '{"l":[],"n":4711}',
    'The index is out of bounds (line 1, column 1).',
  ],
  [
    'int(event.data.n) * 9000000000000000000 > 1',
    '{"n":4711}',
    'The integer is too large (line 1, column 1).',
  ],
])('%s over %s fails with a sentence that says where', (text, data, message) => {
  expect(() => valueOf(text, data)).toThrow(new CelFault(message));
});

test.each<[string, StreamName, number, number, string]>([
  ['event.data.amount >', 'events', 1, 20, 'A value is expected here, but the expression ends.'],
  ['(true', 'events', 1, 6, '“)” is expected here, but the expression ends.'],
  [
    'event.data.a == 1 &&\n  evnt.data.b == 2',
    'events',
    2,
    3,
    'There is no variable evnt. The variables of this stream are event and changes.',
  ],
  [
    'event.data.a',
    'records',
    1,
    1,
    'There is no variable event. The variable of this stream is record.',
  ],
  [
    'event.dat.a',
    'events',
    1,
    7,
    'There is no event.dat. A field of the data is written as event.data.dat. The fields of event are event_id,',
  ],
  ['record.position', 'records', 1, 8, 'record.data.position. The fields of record are'],
  [
    '1 + true == 2',
    'events',
    1,
    1,
    "This operator can't be used with values of these types: number + bool.",
  ],
  ['event.data.a @ 3', 'events', 1, 14, "“@” can't be here."],
  ['"abc', 'events', 1, 1, 'The text that begins here has no " at its end.'],
  ['', 'events', 1, 1, 'A value is expected here, but the expression ends.'],
  ['event.data.a.matches("x")', 'events', 1, 14, 'Regular expressions are not available,'],
  ['hash(1) > 1', 'events', 1, 1, 'There is no function hash. The functions are has, all,'],
  [
    'event.data.all(event, true)',
    'events',
    1,
    12,
    "event is the entry's; give the variable of all",
  ],
  ['{"constructor": 1}', 'events', 1, 1, "An object can't have a field of this name"],
  [`"${'é'.repeat(2048)}"`, 'events', 1, 1, 'An expression has at most 4,096 bytes.'],
  ['('.repeat(100), 'events', 1, 61, 'The expression is too long or nested too deeply.'],
])('%s on %s is refused at line %i, column %i: %s', (text, stream, line, column, detail) => {
  const refusal = refusalOf(text, stream);
  expect({ line: refusal.line, column: refusal.column }).toEqual({ line, column });
  expect(refusal.detail).toContain(detail);
});

test.each([
  ['event.data.a = 1', 14, "“=” can't be here. Write == for equal."],
  ['event.data.a === 1', 16, "“=” can't be here. Write == for equal, and != for not equal."],
  ['event.data.a !== 1', 16, "“=” can't be here. Write == for equal, and != for not equal."],
  ['event.data.a <> 1', 15, 'A value is expected here, but found “>”. Write != for not equal.'],
  ['event.data.a > 1 AND event.data.b', 18, "“AND” can't be here. Write && for “and”."],
  ['event.data.a > 1 and event.data.b', 18, "“and” can't be here. Write && for “and”."],
  ['event.data.a &&& event.data.b', 16, "“&” can't be here. Write && for “and”."],
  ['event.data.a or event.data.b', 14, "“or” can't be here. Write || for “or”."],
  ['NOT event.data.a', 5, "“event” can't be here. Write ! for “not”."],
  ['event.data.a IS NOT NULL', 14, "“IS” can't be here. Write != null."],
  ['event.data.a is null', 14, "“is” can't be here. Write == null."],
  [
    "event.data.a LIKE 'x%'",
    14,
    `“LIKE” can't be here. Write .contains("…"), .startsWith("…") or .endsWith("…").`,
  ],
  [
    'event.data.a in ("x", "y")',
    21,
    '“)” is expected here, but found “,”. Write a list in brackets:',
  ],
  ['event.data.a IN ["x"]', 14, "“IN” can't be here. Write in with small letters"],
  [
    'event.data?.a',
    12,
    'A value is expected here, but found “.”. Write .? for a field that may be',
  ],
  ['event.data.in == 1', 12, 'found “in”. Write ["in"] for a field of this name.'],
  ['event.data.a =~ /x/', 14, `“=” can't be here. Write .contains("…"),`],
  ['event.data.a.filter(x => x > 1)', 23, `“=” can't be here. Write .exists(x, x > 1),`],
  ['$.data.a > 1', 1, `“$” can't be here. Write a field as event.data.total`],
  [
    'event.data.at > now()',
    17,
    'There is no function now. There is no clock; compare with a time,',
  ],
  ["event.data.a in 'abc'", 1, 'types: any in text; .contains("…") finds a part of a text.'],
  ['has(event)', 5, 'has takes a field, such as has(event.data.email)'],
  ['event.data.a == “x”', 17, "““” can't be here. Write texts in straight quotes:"],
  ['event.data.a == 1;', 18, "“;” can't be here. An expression ends without a semicolon."],
  ['event.data.a == None', 17, 'There is no variable None. The variables of this stream are event'],
  ['event.data.a == NULL', 17, 'event and changes. Write null.'],
  ['amount > 100', 1, 'event and changes. A field of the data is written as event.data.amount.'],
  ['data.amount > 100', 1, 'event and changes. Write event.data.'],
  ['{text: event.data.a}', 2, 'event and changes. Write "text" in quotes.'],
  ['{"a": 1, text : event.data.a}', 10, 'event and changes. Write "text" in quotes.'],
  ['event.data.a.includes("x")', 14, 'There is no function includes. Write contains.'],
  ['event.data.a.toLowerCase() == "x"', 14, 'There is no function toLowerCase. Write lowerAscii.'],
  ['len(event.data.a) > 1', 1, 'There is no function len. Write size.'],
])('%s, which other languages write, is answered with what CEL writes', (text, column, detail) => {
  const refusal = refusalOf(text, 'events');
  expect({ line: refusal.line, column: refusal.column }).toEqual({ line: 1, column });
  expect(refusal.detail).toContain(detail);
});

test('a name that may be that of a variable is not taken for a field of the data', () => {
  for (const text of ['evnt.data.a', 'evnt.event == "created"', 'record.data.a', 'evnt.data']) {
    expect(refusalOf(text, 'events').detail).not.toContain('A field of the data');
  }
});

test('the fields that an expression may name are those of the API', () => {
  const named = (stream: StreamName, variable: string) =>
    / are (.*)\.$/u.exec(refusalOf(`${variable}.nothing`, stream).detail)?.[1]?.split(', ');
  expect(named('events', 'event')).toEqual(Object.keys(StreamEvent.shape));
  expect(named('records', 'record')).toEqual(Object.keys(StreamRecord.shape));
});

test('an entry is parsed when an expression asks for it, and once for all of them', () => {
  const broken = celEntry('{', 'events');
  expect(() => broken.variables).toThrow(SyntaxError);
  const entry = eventOf('{"a":1}');
  expect(entry.variables).toBe(entry.variables);
});

function refusalOf(text: string, stream: StreamName): CelError {
  try {
    compileCel(text, stream);
  } catch (error) {
    if (error instanceof CelError) return error;
    throw error;
  }
  throw new Error(`${text} was not refused`);
}
