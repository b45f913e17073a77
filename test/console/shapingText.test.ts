import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ClientError } from '../../src/console/api.ts';
import { sentBody } from '../../src/console/consumers/sentBody.ts';
import { furtherOf } from '../../src/console/deadLetters/failure.ts';
import { batchDraft, batchFaults, batchInput } from '../../src/console/shaping/batches.ts';
import { blankBody, bodyFaults, bodyInput, MODES } from '../../src/console/shaping/bodies.ts';
import { BODIES, CONDITIONS } from '../../src/console/shaping/examples.ts';
import { expressionFault, markedLine } from '../../src/console/shaping/expressionFault.ts';
import { certificateFault, keyFault, pemParts } from '../../src/console/targets/pem.ts';
import { compileCel } from '../../src/rules/cel.ts';
import { ConsumerBatch } from '../../src/schema/batch.ts';
import { BATCH_BOUNDS } from '../../src/schema/batchBounds.ts';
import { ConsumerBody } from '../../src/schema/body.ts';
import { issue } from '../support/certificate.ts';

const SENTENCE = /^[A-Z“].*\.$/u;

const at = (text: string, line: number, column: number) =>
  markedLine({ text, line, column, detail: '' });

test('the word at which an expression is wrong is marked, in its line, and so is the end of the text', () => {
  expect(at('event.data.amount >> 1', 1, 20)).toMatchObject({
    before: 'event.data.amount >',
    marked: '>',
    after: ' 1',
  });
  const text = 'event.data.a > 1 &&\n  amout > 100';
  const marked = at(text, 2, 3);
  expect(marked).toMatchObject({ before: '', marked: 'amout', after: ' > 100' });
  expect(text.slice(marked.from, marked.to)).toBe('amout');
  expect(at('a >', 1, 4)).toMatchObject({ before: 'a >', marked: '', after: '', from: 3, to: 3 });
  expect(at('"😀" 😀', 1, 6)).toMatchObject({ before: '"😀" ', marked: '😀' });
});

test('whatever place is named, what is marked is in the text, and a line is never shown at unbounded length', () => {
  const places = fc.tuple(fc.string({ unit: 'grapheme' }), fc.nat(400), fc.nat(400));
  fc.assert(
    fc.property(places, ([text, line, column]) => {
      const { before, marked, after, from, to } = at(text.repeat(9), line + 1, column + 1);
      expect(text.repeat(9).slice(from, to)).toBe(marked);
      expect(before.length + after.length).toBeLessThan(130);
    }),
  );
});

test('only a refusal of that very expression is shown at a place', () => {
  const errors = [{ pointer: '/where', detail: 'There is no variable a.', line: 1, column: 2 }];
  const error = new ClientError(422, { code: 'invalid_request', errors });
  expect(expressionFault(error, '/where', 'a')).toEqual({
    text: 'a',
    line: 1,
    column: 2,
    detail: 'There is no variable a.',
  });
  expect(expressionFault(error, '/body/expression', 'a')).toBeNull();
  expect(expressionFault(new Error('no'), '/where', 'a')).toBeNull();
  expect(expressionFault(null, '/where', 'a')).toBeNull();
});

test('the failure of an entry of which no body could be made begins with the reason, where two lines are shown', () => {
  const failure = {
    code: 'BODY_FAILED',
    status: null,
    detail: 'the expression of the body has no value: There is no field "n" (line 1, column 9)',
    at: '2026-11-30T11:00:00Z',
    response_head: null,
  };
  expect(furtherOf(failure)).toBe('There is no field "n" (line 1, column 9)');
  expect(furtherOf({ ...failure, detail: 'HTTP 400', status: 400 })).toBe('');
});

test('every example can be saved', () => {
  for (const stream of ['events', 'records'] as const) {
    for (const { expression } of CONDITIONS[stream]) {
      expect(['bool', 'dyn']).toContain(compileCel(expression, stream).type);
    }
    for (const { expression } of BODIES[stream]) compileCel(expression, stream);
  }
});

test('each kind of body that is chosen can be saved once its fields are filled in, and not before', () => {
  for (const { mode } of MODES) {
    const body = blankBody(mode);
    const isReady = !['fields', 'map'].includes(mode);
    expect(Object.keys(bodyFaults(body, 'events')).length).toBe(isReady ? 0 : 1);
    expect(ConsumerBody.safeParse(bodyInput(body)).success).toBe(isReady);
  }
  const filled = { mode: 'fields' as const, pointers: ['/data/email ', '', '/changes'] };
  expect(bodyFaults(filled, 'events')).toEqual({});
  expect(bodyInput(filled)).toEqual({ mode: 'fields', pointers: ['/data/email', '/changes'] });
});

test.each([
  ['data/email', 'Line 2: “data/email” must begin with /data or /changes: write /data/email.'],
  ['$.data.email', 'Line 2: “$.data.email” must begin with /data or /changes: write /data/email.'],
  ['/email', 'Line 2: “/email” must begin with /data or /changes: write /data/email.'],
  ['/data/a~b', 'Line 2: “/data/a~b” must not contain ~: write ~0 instead.'],
])('the pointer %j is refused with a remedy', (pointer, says) => {
  const body = { mode: 'fields' as const, pointers: ['/data/ok', pointer] };
  expect(bodyFaults(body, 'events')).toEqual({ '/body/pointers': says });
});

test('limits of batches are refused exactly where the API would refuse them, and stored ones come back as they are', () => {
  const typed = fc.record({
    entries: fc.oneof(
      fc.constantFrom('', '1', '2', '1000', '1001', '2.5', 'x'),
      fc.nat().map(String),
    ),
    kilobytes: fc.oneof(
      fc.constantFrom('', '0', '1', '8192', '8193', '976.5625', '0.3'),
      fc.nat(9_000).map(String),
    ),
    wait: fc.oneof(fc.constantFrom('', '0', '-1', '10000', '10001'), fc.nat(20_000).map(String)),
  });
  fc.assert(
    fc.property(typed, (draft) => {
      const faults = batchFaults(draft);
      const isTyped = Object.values(draft).every((text) => text !== '');
      const isFine = isTyped && ConsumerBatch.safeParse(batchInput(draft)).success;
      expect(Object.keys(faults).length === 0).toBe(isFine);
      for (const fault of Object.values(faults)) expect(fault).toMatch(SENTENCE);
    }),
  );
  const within = ({ min, max }: { min: number; max: number }) => fc.integer({ min, max });
  const stored = fc.record({
    max_entries: within(BATCH_BOUNDS.max_entries),
    max_bytes: within(BATCH_BOUNDS.max_bytes),
    max_wait_ms: within(BATCH_BOUNDS.max_wait_ms),
  });
  fc.assert(
    fc.property(stored, (batch) => {
      const draft = batchDraft(batch);
      expect(batchFaults(draft)).toEqual({});
      expect(batchInput(draft)).toEqual(batch);
    }),
  );
});

test('a file with a certificate, its chain and its key is taken apart, and what is no PEM is said to be none', () => {
  const [one, other] = [issue(), issue()];
  const parts = pemParts(`some words\n${one.cert}${one.key}${other.cert}`);
  expect(parts.certificate).toBe(`${one.cert.trim()}\n${other.cert.trim()}\n`);
  expect(parts.key).toBe(`${one.key.trim()}\n`);
  expect(certificateFault(parts.certificate)).toBeNull();
  expect(keyFault(parts.key)).toBeNull();
  expect(certificateFault('')).toMatch(SENTENCE);
  expect(keyFault('MII')).toMatch(/must be PEM/u);
  expect(certificateFault(one.cert + one.key)).toMatch(/own field/u);
  expect(keyFault(one.key.replaceAll('PRIVATE KEY', 'ENCRYPTED PRIVATE KEY'))).toMatch(/decrypt/u);
});

test('the body of a request is shown only where it is known to be what was sent', () => {
  const text = '{"event_id":"e","data":{"name":"é"}}';
  const consumer = { stream: 'events', body: { mode: 'full' }, batch: null } as const;
  const single = { batch_size: 1 };
  const alone = `{"event":${text}}`;
  const inBatch = `{"events":[${text}]}`;
  const batch = { max_entries: 2, max_bytes: 1_024, max_wait_ms: 0 };
  expect(sentBody(text, single, consumer, null)).toBe(alone);
  expect(sentBody(text, single, { ...consumer, batch }, null)).toBe(inBatch);
  expect(sentBody(text, { batch_size: 2 }, { ...consumer, batch }, null)).toBeNull();
  expect(sentBody(text, single, { ...consumer, body: { mode: 'thin' } }, null)).toBeNull();
  const bytes = (body: string) => ({ request_bytes: Buffer.byteLength(body) });
  // Sent before its settings were changed.
  expect(sentBody(text, single, { ...consumer, batch }, bytes(alone))).toBe(alone);
  expect(sentBody(text, single, { ...consumer, body: { mode: 'thin' } }, bytes(inBatch))).toBe(
    inBatch,
  );
  expect(sentBody(text, single, consumer, { request_bytes: 7 })).toBeNull();
});
