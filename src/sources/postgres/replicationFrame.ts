import { readBytes } from './byteReader.ts';
import { NO_LSN, type Lsn } from './lsn.ts';
import { POSTGRES_EPOCH_MS } from './postgresTime.ts';

/** What a walsender sends: a piece of the log, or a sign of life. */
export type ReplicationFrame = LogFrame | KeepaliveFrame;

/** XLogData. `payload` is a view of the frame, valid as long as that. */
export interface LogFrame {
  kind: 'log';
  /** Where this piece of the log begins; 0 for messages that speak of no place. */
  start: Lsn;
  payload: Buffer;
}

/** Primary keepalive. */
export interface KeepaliveFrame {
  kind: 'keepalive';
  /** How far the log has been sent. */
  end: Lsn;
  /** The server disconnects unless it is answered soon. */
  isReplyWanted: boolean;
}

/** How far the receiver has come. */
export interface StandbyStatus {
  /** Received. */
  written: Lsn;
  /** Stored; the server may forget what is before it. */
  flushed: Lsn;
  /** Whether the server is to answer at once. */
  isReplyWanted: boolean;
}

const LOG = 0x77; // w
const KEEPALIVE = 0x6b; // k
const STATUS = 0x72; // r
const STATUS_BYTES = 34;

/** Decodes the content of a CopyData message of a walsender. Throws a `ProtocolError` at any other content. */
export function decodeFrame(content: Buffer): ReplicationFrame {
  const reader = readBytes(content, 'replication frame', NO_LSN);
  const kind = reader.uint8();
  if (kind === LOG) {
    const start = reader.uint64();
    reader.bytes(16); // the end of the server's log, and its clock
    return { kind: 'log', start, payload: reader.bytes(content.length - 25) };
  }
  if (kind === KEEPALIVE) {
    const end = reader.uint64();
    reader.bytes(8); // the server's clock
    const isReplyWanted = reader.uint8() === 1;
    reader.end();
    return { kind: 'keepalive', end, isReplyWanted };
  }
  return reader.fail(`its kind is byte ${kind}`);
}

/** Encodes a standby status update, which says to the server at `nowMs` how far the receiver has come. */
export function encodeStatus(status: StandbyStatus, nowMs: number): Buffer {
  const encoded = Buffer.alloc(STATUS_BYTES);
  encoded.writeUInt8(STATUS, 0);
  encoded.writeBigUInt64BE(status.written, 1);
  encoded.writeBigUInt64BE(status.flushed, 9);
  encoded.writeBigUInt64BE(status.flushed, 17); // applied: the same for us
  encoded.writeBigInt64BE(BigInt(Math.round(nowMs - POSTGRES_EPOCH_MS)) * 1_000n, 25);
  encoded.writeUInt8(status.isReplyWanted ? 1 : 0, 33);
  return encoded;
}
