// Follows one source, as a worker does whose attempts Temporal repeats, until it is killed.
import pino from 'pino';

import { openDb } from '../../src/db/db.ts';
import { createListener } from '../../src/db/listener.ts';
import { createVault } from '../../src/db/vault.ts';
import { createDatabaseSockets } from '../../src/egress/databaseSocket.ts';
import { createAppender } from '../../src/streams/append.ts';
import { createPasses } from '../../src/streams/passes.ts';
import { keepFollowing } from './keepFollowing.ts';

const { FOLLOWER_DATABASE: url = '', FOLLOWER_KEY = '', FOLLOWER_SOURCE: id = '' } = process.env;
const log = pino({}, pino.destination(2));
const db = openDb({ url, onError: (err) => log.warn({ err }, 'a connection was lost') });
const deps = {
  db,
  vault: createVault([{ id: 'test', key: Buffer.from(FOLLOWER_KEY, 'base64') }]),
  listener: createListener({ url, log }),
  appender: createAppender({ db, url, log }),
  passes: createPasses({ db }),
  openSocket: createDatabaseSockets({ allowCidrs: ['127.0.0.0/8'] }).open,
  holder: `follower/${process.pid}`,
  leaseMs: 2_000,
  log,
};
process.stderr.write('following\n');
await keepFollowing(deps, id, { signal: new AbortController().signal, errors: [] });
process.stderr.write('there is nothing to follow any more\n');
process.exit(3);
