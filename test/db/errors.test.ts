import { connect } from 'node:net';

import { DatabaseError } from 'pg';
import { expect, test } from 'vitest';

import { judgeDatabaseError, type DatabaseJudgement } from '../../src/db/errors.ts';

const sqlstates: [code: string, DatabaseJudgement, what: string][] = [
  ['08000', 'away', 'connection exception'],
  ['08001', 'away', 'a connection cannot be made'],
  ['08003', 'away', 'there is no connection'],
  ['08006', 'away', 'the connection failed'],
  ['08P01', 'away', 'a pooler gives up its server'],
  ['25006', 'away', 'read-only: a standby after a failover'],
  ['25P03', 'away', 'idle in its transaction for too long: the session is ended'],
  ['25P04', 'away', 'a transaction took too long: the session is ended'],
  ['28000', 'away', 'the login is refused'],
  ['28P01', 'away', 'the password is refused'],
  ['3D000', 'away', 'there is no such database'],
  ['40001', 'conflict', 'not serializable'],
  ['40P01', 'conflict', 'a deadlock'],
  ['40003', 'away', 'it is unknown whether the statement was completed'],
  ['53000', 'away', 'out of resources'],
  ['53100', 'away', 'the disk is full'],
  ['53200', 'away', 'out of memory'],
  ['53300', 'away', 'too many connections'],
  ['53400', 'away', 'a configured limit is exceeded'],
  ['55006', 'slow', 'an object is in use'],
  ['55P03', 'slow', 'a lock is not available'],
  ['57014', 'slow', 'cancelled by the statement timeout, or by an operator'],
  ['57P01', 'away', 'an operator ends the session'],
  ['57P02', 'away', 'a crash ends the session'],
  ['57P03', 'away', 'it cannot be connected to now'],
  ['57P04', 'away', 'the database is dropped'],
  ['57P05', 'away', 'idle for too long'],
  ['58000', 'away', 'an error of the system'],
  ['58030', 'away', 'an error of the disk'],
  ['58P01', 'away', 'a file is missing'],
  ['0A000', 'fault', 'not supported'],
  ['21000', 'fault', 'more than one row'],
  ['22021', 'fault', 'a character that is not in the encoding'],
  ['22P02', 'fault', 'not the text of its type'],
  ['23503', 'fault', 'a foreign key'],
  ['23505', 'fault', 'a unique key'],
  ['23514', 'fault', 'a check, or no partition'],
  ['25001', 'fault', 'a transaction where there must be none'],
  ['25P02', 'fault', 'a statement after one that failed'],
  ['40002', 'fault', 'a constraint that is checked at the end'],
  ['42501', 'fault', 'no privilege'],
  ['42601', 'fault', 'a syntax error'],
  ['42P01', 'fault', 'no such table'],
  ['54000', 'fault', 'a limit of the program'],
  ['55000', 'fault', 'not in the state that is needed'],
  ['P0001', 'fault', 'raised by a function'],
  ['XX000', 'fault', 'an internal error'],
  ['XX001', 'fault', 'corrupt data, which no repetition mends'],
  ['XX002', 'fault', 'a corrupt index'],
];

test.each(sqlstates)('Postgres answers %s: %s (%s)', (code, judgement) => {
  expect(judgeDatabaseError(answered(code))).toBe(judgement);
});

const codes: [code: string, DatabaseJudgement][] = [
  ['ECONNREFUSED', 'away'],
  ['ECONNRESET', 'away'],
  ['ECONNABORTED', 'away'],
  ['EPIPE', 'away'],
  ['ETIMEDOUT', 'away'],
  ['EHOSTUNREACH', 'away'],
  ['ENETUNREACH', 'away'],
  ['ENETDOWN', 'away'],
  ['ENOTFOUND', 'away'],
  ['EAI_AGAIN', 'away'],
  ['EADDRNOTAVAIL', 'away'],
  ['EMFILE', 'away'],
  ['CERT_HAS_EXPIRED', 'away'],
  ['DEPTH_ZERO_SELF_SIGNED_CERT', 'away'],
  ['ERR_TLS_CERT_ALTNAME_INVALID', 'away'],
  ['ERR_SSL_TLSV1_ALERT_PROTOCOL_VERSION', 'away'],
  ['ENOENT', 'fault'],
  ['EACCES', 'fault'],
  ['ENOSPC', 'fault'],
  ['EEXIST', 'fault'],
  ['ERR_INVALID_ARG_TYPE', 'fault'],
];

test.each(codes)('an error with the code %s: %s', (code, judgement) => {
  expect(judgeDatabaseError(Object.assign(new Error('failed'), { code }))).toBe(judgement);
});

const worded: [what: string, error: unknown, DatabaseJudgement][] = [
  ['lost in a query', new Error('Connection terminated unexpectedly'), 'away'],
  ['lost while connecting', new Error('Connection terminated due to connection timeout'), 'away'],
  ['no free connection', new Error('timeout exceeded when trying to connect'), 'away'],
  ['no answer to a connect', new Error('timeout expired'), 'away'],
  ['no answer to a query', new Error('Query read timeout'), 'away'],
  ['used after its end', new Error('Client was closed and is not queryable'), 'away'],
  ['no TLS there', new Error('The server does not support SSL connections'), 'away'],
  ['as the cause of another', new Error('failed', { cause: answered('57P03') }), 'away'],
  ['all addresses refuse', new AggregateError([coding('EHOSTUNREACH')], ''), 'away'],
  ['an unknown end of the session', answered('F0000', 'FATAL'), 'away'],
  ['a bug', new TypeError('x is not a function'), 'fault'],
  ['no error at all', 'Connection terminated', 'fault'],
  ['nothing', undefined, 'fault'],
];

test.each(worded)('%s', (_, error, judgement) => {
  expect(judgeDatabaseError(error)).toBe(judgement);
});

test('a socket file that does not exist: away', async () => {
  const socket = connect('/nowhere/.s.PGSQL.5432');
  const { promise, resolve } = Promise.withResolvers<Error>();
  socket.once('error', resolve);
  expect(judgeDatabaseError(await promise)).toBe('away');
});

function answered(code: string, severity = 'ERROR'): Error {
  return Object.assign(new DatabaseError('refused', 0, 'error'), { code, severity });
}

function coding(code: string): Error {
  return Object.assign(new Error('failed'), { code });
}
