import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { connect, createServer, type AddressInfo } from 'node:net';

import { expect, test } from 'vitest';

import { choosePort } from '../../src/embedded/state.ts';
import { ownerOf } from '../support/sockets.ts';

const CLIENT =
  "require('node:net').connect(JSON.parse(process.argv[1])).on('connect', () => console.log('open'))";

async function openServer() {
  const server = createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const closed = once(server, 'close');
  return {
    port: (server.address() as AddressInfo).port,
    [Symbol.asyncDispose]: async () => {
      server.close();
      await closed;
    },
  };
}

test.runIf(process.platform === 'linux')(
  'the owner of a connection is told apart from the owner of another one from the same port',
  async () => {
    await using one = await openServer();
    await using other = await openServer();
    const client = await choosePort(undefined);
    const from = { host: '127.0.0.1', localPort: client };
    const ours = connect({ ...from, port: one.port });
    await once(ours, 'connect');
    const theirs = JSON.stringify({ ...from, port: other.port });
    const child = spawn(process.execPath, ['-e', CLIENT, theirs], {
      stdio: ['ignore', 'pipe', 'inherit'],
    });
    try {
      await Promise.race([once(child.stdout, 'data'), once(child, 'exit')]);
      const pids = [child.pid ?? 0, process.pid];
      expect(ownerOf({ client, server: one.port }, pids)).toBe(process.pid);
      expect(ownerOf({ client, server: other.port }, pids)).toBe(child.pid);
      expect(ownerOf({ client, server: 1 }, pids)).toBe(null);
    } finally {
      child.kill();
      ours.destroy();
    }
  },
);
