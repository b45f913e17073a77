import fc from 'fast-check';
import { expect, test } from 'vitest';

import { ProtocolError } from '../../src/sources/postgres/byteReader.ts';
import { formatLsn, parseLsn } from '../../src/sources/postgres/lsn.ts';
import { decodeFrame, encodeStatus } from '../../src/sources/postgres/replicationFrame.ts';

const LSN = fc.bigInt({ min: 0n, max: 2n ** 64n - 1n });

test('an LSN of any size is printed as Postgres prints it, and read back', () => {
  expect(formatLsn(0x16_b374d848n)).toBe('16/B374D848');
  expect(formatLsn(0n)).toBe('0/0');
  expect(parseLsn('0/16b3748')).toBe(0x16b3748n);
  fc.assert(
    fc.property(LSN, LSN, (a, b) => {
      expect(parseLsn(formatLsn(a))).toBe(a);
      expect(parseLsn(formatLsn(a)) < parseLsn(formatLsn(b))).toBe(a < b);
    }),
  );
});

test.each(['', '16', '16/', '/16', 'G/0', '123456789/0', '0/123456789', '0/0 '])(
  '"%s" is not an LSN',
  (text) => {
    expect(() => parseLsn(text)).toThrow(`${text} is not an LSN`);
  },
);

test('a piece of the log is a view of its frame, without a copy', () => {
  const frame = Buffer.concat([
    Buffer.from('w'),
    Buffer.from('000000000000002a', 'hex'),
    Buffer.alloc(16),
    Buffer.from('payload'),
  ]);
  const decoded = decodeFrame(frame);
  expect(decoded).toEqual({ kind: 'log', start: 42n, payload: Buffer.from('payload') });
  frame.fill('x', 25);
  expect(decoded).toEqual({ kind: 'log', start: 42n, payload: Buffer.from('xxxxxxx') });
});

test('a keepalive says how far the log has been sent, and whether an answer is due', () => {
  const frame = Buffer.from(`6b00000001000000ff${'0'.repeat(16)}01`, 'hex');
  expect(decodeFrame(frame)).toEqual({
    kind: 'keepalive',
    end: 0x1_000000ffn,
    isReplyWanted: true,
  });
  frame[17] = 0;
  expect(decodeFrame(frame)).toMatchObject({ isReplyWanted: false });
});

test.each([
  [Buffer.from('x'), "The replication frame at 0/0 can't be read: its kind is byte 120"],
  [
    Buffer.alloc(0),
    "The replication frame at 0/0 can't be read: it ends after 0 bytes, and 1 more are due at byte 0",
  ],
  [
    Buffer.from('w12'),
    "The replication frame at 0/0 can't be read: it ends after 3 bytes, and 8 more are due at byte 1",
  ],
  [
    Buffer.from(`6b${'0'.repeat(36)}`, 'hex'),
    "The replication frame at 0/0 can't be read: 1 bytes are left at its end",
  ],
])('a frame of other bytes is refused: %o', (frame, message) => {
  expect(() => decodeFrame(frame)).toThrow(new ProtocolError(message));
});

test('a status has what was received, what is stored, and the time since 2000 in microseconds', () => {
  fc.assert(
    fc.property(LSN, LSN, fc.boolean(), (written, flushed, isReplyWanted) => {
      const at = Date.parse('2000-01-01T00:00:01Z');
      const encoded = encodeStatus({ written, flushed, isReplyWanted }, at);
      expect(encoded.length).toBe(34);
      expect(encoded.toString('latin1', 0, 1)).toBe('r');
      expect(encoded.readBigUInt64BE(1)).toBe(written);
      expect(encoded.readBigUInt64BE(9)).toBe(flushed);
      expect(encoded.readBigUInt64BE(17)).toBe(flushed);
      expect(encoded.readBigInt64BE(25)).toBe(1_000_000n);
      expect(encoded.readUInt8(33)).toBe(isReplyWanted ? 1 : 0);
    }),
  );
});
