import { setImmediate as turn } from 'node:timers/promises';

import fc from 'fast-check';
import { expect, test } from 'vitest';

import type { Line } from '../../src/sources/messages/lines.ts';
import type { Message } from '../../src/sources/messages/message.ts';
import {
  LineError,
  PartlyStored,
  pump,
  type Change,
  type PumpOptions,
} from '../../src/sources/messages/pump.ts';

const RECORD = {
  kind: 'record' as const,
  stream: 'a',
  deleted: false,
  merge: false,
  version: null,
  nulled: 0,
};

/** A line `r…` is a record, `s…` a STATE, `!…` a problem, and any other says nothing. */
function read(text: string): Message {
  if (text.startsWith('!')) return { kind: 'problem', detail: 'is bad', hint: 'mend it' };
  if (text.startsWith('s')) {
    return { kind: 'state', text, value: text, subject: null, isListed: false };
  }
  if (!text.startsWith('r')) return { kind: 'nothing' };
  return { ...RECORD, upstreamId: text, data: text };
}

const LIMITS = { records: 3, size: 1_000, stateSize: 1_000, lingerMs: 60_000 };

/** A pump between lines and a disk, which is the list of what is stored and emitted, in order. */
function open(texts: AsyncIterable<readonly string[]>, more: Partial<PumpOptions> = {}) {
  const disk: string[] = [];
  async function* lines(): AsyncGenerator<Line[]> {
    let number = 0;
    for await (const some of texts) {
      yield some.map((text) => ({ number: ++number, isWhole: true, text }));
    }
  }
  const ended = pump({
    lines: lines(),
    read,
    store: async (changes) => {
      await turn();
      disk.push(...changes.map(idOf));
    },
    emit: async (states) => void disk.push(...states.map(({ text }) => text)),
    hear: () => undefined,
    limits: LIMITS,
    signal: new AbortController().signal,
    ...more,
  });
  ended.catch(() => undefined); // it is awaited later
  return { disk, ended };
}

function idOf({ message }: Change): string {
  return message.kind === 'record' ? message.upstreamId : message.stream;
}

async function* inChunks(texts: readonly string[], sizes: readonly number[]) {
  let from = 0;
  for (let index = 0; from < texts.length; index++) {
    const size = sizes.length === 0 ? 1 : sizes[index % sizes.length]!;
    if (size % 2 === 1) await turn();
    yield texts.slice(from, from + size);
    from += size;
  }
}

const numbered = (kinds: readonly string[]): string[] =>
  kinds.map((kind, index) => `${kind}${index}`);
const kinds = fc.array(fc.constantFrom('r', 'r', 'r', 's', 'x'), { maxLength: 60 });
const sizes = fc.array(fc.integer({ min: 1, max: 9 }), { maxLength: 5 });
const limits = fc.record({
  records: fc.integer({ min: 1, max: 8 }),
  size: fc.integer({ min: 1, max: 40 }),
  stateSize: fc.integer({ min: 1, max: 20 }),
  lingerMs: fc.constantFrom(0, 60_000),
});
const only = (kind: string, texts: readonly string[]): string[] =>
  texts.filter((one) => one.startsWith(kind));

test('however the input is cut, all records are stored once and in order, and each STATE comes after what was before it', async () => {
  await fc.assert(
    fc.asyncProperty(kinds, sizes, limits, async (some, chunks, limit) => {
      const texts = numbered(some);
      const { disk, ended } = open(inChunks(texts, chunks), { limits: limit });
      await ended;
      expect(only('r', disk)).toEqual(only('r', texts));
      expect(only('s', disk)).toEqual(only('s', texts));
      expectNoStateTooEarly(disk, texts);
    }),
  );
});

test('wherever storing fails, no STATE comes before what it speaks of, and what is emitted is a beginning of all', async () => {
  await fc.assert(
    fc.asyncProperty(
      kinds,
      sizes,
      limits,
      fc.nat({ max: 40 }),
      fc.nat({ max: 8 }),
      fc.constantFrom('nothing', 'some', 'some, and says so'),
      async (some, chunks, limit, failAt, part, how) => {
        const texts = numbered(some);
        const disk: string[] = [];
        const { ended } = open(inChunks(texts, chunks), {
          limits: limit,
          store: async (changes) => {
            await turn();
            const ids = changes.map(idOf);
            const isFailing = only('r', disk).length + ids.length > failAt;
            const stored = !isFailing ? ids : how === 'nothing' ? [] : ids.slice(0, part);
            disk.push(...stored);
            if (!isFailing) return;
            const error = new Error('the disk is away');
            throw how === 'some, and says so' ? new PartlyStored(stored.length, error) : error;
          },
          emit: async (states) => void disk.push(...states.map(({ text }) => text)),
        });
        if (only('r', texts).length > failAt)
          await expect(ended).rejects.toThrow('the disk is away');
        else await ended;
        expect(only('r', disk)).toEqual(only('r', texts).slice(0, only('r', disk).length));
        expect(only('s', disk)).toEqual(only('s', texts).slice(0, only('s', disk).length));
        expectNoStateTooEarly(disk, texts);
      },
    ),
  );
});

/** When a STATE is emitted, every record that came before it is on the disk. */
function expectNoStateTooEarly(disk: readonly string[], texts: readonly string[]): void {
  for (const [index, state] of disk.entries()) {
    if (!state.startsWith('s')) continue;
    const before = only('r', texts.slice(0, texts.indexOf(state)));
    expect(disk.slice(0, index)).toEqual(expect.arrayContaining(before));
  }
}

test('a line that can not be used ends it with its number, after everything before it is stored', async () => {
  const { disk, ended } = open(inChunks(['r1', 's2', 'r3', '!4', 'r5', 's6'], [6]));
  const error: LineError = await ended.then(Promise.reject, (reason) => reason);
  expect(error).toBeInstanceOf(LineError);
  expect([error.line, error.message, error.hint]).toEqual([4, 'is bad', 'mend it']);
  expect(disk).toEqual(['r1', 's2', 'r3'].toSorted(byKind));
});

test('a last line that is cut off is said to be', async () => {
  async function* cut(): AsyncGenerator<Line[]> {
    yield [{ number: 1, isWhole: false, text: '!{"a":' }];
  }
  const { ended } = open(inChunks([], []), { lines: cut() });
  await expect(ended).rejects.toThrow('is bad, and the input ended within it');
});

test('input that breaks off ends it with its error, after everything before it is stored', async () => {
  async function* broken(): AsyncGenerator<string[]> {
    yield ['r1', 's2'];
    throw new Error('read EIO');
  }
  const { disk, ended } = open(broken());
  await expect(ended).rejects.toThrow('read EIO');
  expect(disk).toEqual(['r1', 's2']);
});

test('a failure of storing ends it although no more input comes', async () => {
  const { ended } = open(silentAfter(['r1', 'r2', 'r3']), {
    store: () => Promise.reject(new Error('the disk is away')),
  });
  await expect(ended).rejects.toThrow('the disk is away');
});

test('a message that no other follows is stored once it has waited long enough', async () => {
  const { promise, resolve } = Promise.withResolvers<void>();
  const interrupt = new AbortController();
  const { disk, ended } = open(silentAfter(['r1', 's2']), {
    limits: { ...LIMITS, lingerMs: 1 },
    emit: async (states) => {
      disk.push(...states.map(({ text }) => text));
      resolve();
    },
    signal: interrupt.signal,
  });
  await promise;
  expect(disk).toEqual(['r1', 's2']);
  interrupt.abort(new Error('interrupted'));
  await expect(ended).rejects.toThrow('interrupted');
});

test('while one batch is stored, the next is filled and no more is read', async () => {
  let taken = 0;
  async function* counted(): AsyncGenerator<string[]> {
    for (;;) yield [`r${++taken}`];
  }
  const release = Promise.withResolvers<void>();
  const interrupt = new AbortController();
  const { ended } = open(counted(), { store: () => release.promise, signal: interrupt.signal });
  for (let turns = 0; turns < 200; turns++) await turn();
  expect(taken).toBe(2 * LIMITS.records);
  interrupt.abort(new Error('interrupted'));
  release.resolve();
  await expect(ended).rejects.toThrow('interrupted');
});

test('an interruption awaits what is being stored, tells its STATEs, and sends nothing more', async () => {
  const storing = Promise.withResolvers<void>();
  const release = Promise.withResolvers<void>();
  const interrupt = new AbortController();
  const { disk, ended } = open(silentAfter(['r1', 'r2', 's3', 'r4', 'r5', 's6']), {
    store: async (changes) => {
      storing.resolve();
      await release.promise;
      disk.push(...changes.map(idOf));
    },
    signal: interrupt.signal,
  });
  await storing.promise;
  interrupt.abort(new Error('interrupted'));
  release.resolve();
  await expect(ended).rejects.toThrow('interrupted');
  expect(disk).toEqual(['r1', 'r2', 'r4', 's3']);
});

test('memory is bounded by the sizes of records and of STATEs alike', async () => {
  const sizesOf: number[] = [];
  const texts = numbered(['r', ...Array.from({ length: 50 }, () => 's'), 'r', 'r']);
  const { disk, ended } = open(inChunks(texts, [60]), {
    limits: { ...LIMITS, records: 1_000, stateSize: 10 },
    emit: async (states) => {
      sizesOf.push(states.reduce((sum, { text }) => sum + text.length, 0));
      disk.push(...states.map(({ text }) => text));
    },
  });
  await ended;
  expect(only('s', disk)).toEqual(only('s', texts));
  expect(Math.max(...sizesOf)).toBeLessThan(13);
});

async function* silentAfter(texts: readonly string[]): AsyncGenerator<readonly string[]> {
  yield texts;
  await new Promise<never>(() => undefined);
}

function byKind(a: string, b: string): number {
  return a[0]!.localeCompare(b[0]!) || a.localeCompare(b);
}
