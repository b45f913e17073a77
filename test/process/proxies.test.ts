import { expect, test } from 'vitest';

import {
  channelArgsFor,
  proxiesOf,
  proxiesToSet,
  sparingLoopback,
} from '../../src/process/proxies.ts';

const LOOPBACK = 'localhost,127.0.0.1,::1,[::1]';

test.each([
  ['HTTP_PROXY'],
  ['http_proxy'],
  ['HTTPS_PROXY'],
  ['https_proxy'],
  ['ALL_PROXY'],
  ['all_proxy'],
  ['GRPC_PROXY'],
  ['grpc_proxy'],
])('with %s set, this machine is named as an exception in both spellings', (name) => {
  const env = { [name]: 'http://proxy:3128', PATH: '/bin' };
  expect(proxiesOf(env)).toEqual([name]);
  expect(sparingLoopback(env)).toEqual({ ...env, NO_PROXY: LOOPBACK, no_proxy: LOOPBACK });
});

test.each<[what: string, env: NodeJS.ProcessEnv, sparing: NodeJS.ProcessEnv]>([
  ['no proxy: nothing changes', { NO_PROXY: 'a' }, { NO_PROXY: 'a' }],
  ['an empty one is none', { http_proxy: '' }, { http_proxy: '' }],
  [
    'names that are listed already stay, and are listed once',
    { http_proxy: 'p', NO_PROXY: 'a, localhost', no_proxy: 'b' },
    {
      http_proxy: 'p',
      NO_PROXY: 'a,localhost,b,127.0.0.1,::1,[::1]',
      no_proxy: 'a,localhost,b,127.0.0.1,::1,[::1]',
    },
  ],
  [
    'a list that is for gRPC alone hides the general list, so it names this machine as well',
    { grpc_proxy: 'p', no_grpc_proxy: 'a' },
    {
      grpc_proxy: 'p',
      NO_PROXY: LOOPBACK,
      no_proxy: LOOPBACK,
      NO_GRPC_PROXY: `a,${LOOPBACK}`,
      no_grpc_proxy: `a,${LOOPBACK}`,
    },
  ],
])('%s', (_, env, sparing) => {
  expect(sparingLoopback(env)).toEqual(sparing);
});

test.each<[env: NodeJS.ProcessEnv, set: boolean]>([
  [{ NODE_USE_ENV_PROXY: '1', http_proxy: 'p' }, true],
  [{ NODE_USE_ENV_PROXY: '1' }, false],
  [{ NODE_USE_ENV_PROXY: '0', http_proxy: 'p' }, false],
  [{ http_proxy: 'p' }, false],
])('Node goes by the proxies of %o: %s', (env, set) => {
  expect(proxiesToSet(env)).toEqual(set ? sparingLoopback(env) : null);
});

test.each([
  ['127.0.0.1:7233', true],
  ['127.8.8.8:7233', true],
  ['localhost:7233', true],
  ['temporal.localhost:7233', true],
  ['[::1]:7233', true],
  ['10.0.0.1:7233', false],
  ['localhost.example.com:7233', false],
  ['temporal:7233', false],
])('gRPC to %s is direct: %s', (address, direct) => {
  const args = direct ? { channelArgs: { 'grpc.enable_http_proxy': 0 } } : {};
  expect(channelArgsFor(address)).toEqual(args);
});
